/* dualdiff datasets: list the sets that are made by name. */
#include <stdio.h>

#include "base/error.h"
#include "cli/commands.h"
#include "data/generators.h"

static const dd_option options[] = {{0}};

const dd_command dd_command_datasets = {
    .name = "datasets",
    .summary = "list the datasets that are made by name",
    .synopsis = "",
    .description =
        "Prints a line for each dataset that --dataset knows by name: its name, its kind, the dimensions D of its "
        "points, how many modes it has (- where its points fill an area or lie along curves, so modes cannot be "
        "counted), and what it is. The kinds: the experiment's own, sets of the literature on mode capture, drawings "
        "made of points (each point is a mode), and sets of the space of any dimensions. embedded:NAME is a set of the "
        "plane in more dimensions, for instance embedded:dino.\n\n"
        "`dualdiff info NAME` prints more about one of them. Points of your own are given as a file; `dualdiff train "
        "--help` says which files.",
    .options = options,
    .examples = "    dualdiff datasets\n",
    .run = dd_cmd_datasets};

static dd_status print_dataset(const dd_generator_info *g)
{
    int modes = dd_generator_modes(g);
    char text[16] = "-";
    if (modes < 0)
        return DD_ERR_MEMORY;
    if (modes)
        snprintf(text, sizeof text, "%d", modes);
    else if (g == &dd_set_embedded)
        snprintf(text, sizeof text, "NAME's");
    printf("%-20s %-10s %3d%s %6s  %s\n", g->name, dd_generator_kind_name[g->kind],
           g->family ? g->family->dimensions : 2, g->family ? "*" : " ", text, g->what);
    return DD_OK;
}

static dd_status print_datasets(void)
{
    printf("%-20s %-10s %3s  %6s  %s\n", "name", "kind", "D", "modes", "what it is");
    for (int kind = 0; kind < DD_GENERATOR_KINDS; kind++)
        for (int i = 0; dd_generators[i]; i++)
            if ((int)dd_generators[i]->kind == kind)
                DD_TRY(print_dataset(dd_generators[i]));
    DD_TRY(print_dataset(&dd_set_embedded));
    puts("\n* data.dimensions chooses another D; data.modes and data.rank choose modes and rank.");
    return DD_OK;
}

dd_status dd_cmd_datasets(int argc, char **argv)
{
    dd_args args;
    dd_status status = dd_args_parse(&dd_command_datasets, argc, argv, &args);
    if (!status && !args.help)
        status = print_datasets();
    dd_args_free(&args);
    return status;
}

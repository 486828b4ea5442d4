#define _GNU_SOURCE /* asprintf */
#include "cli/config_option.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "cli/share.h"
#include "data/generators.h"

static const char ending[] = ".toml";

dd_status dd_config_name(const char *path, char out[DD_NAME])
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    size_t length = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    dd_name_copy(out, name, length);
    return dd_name_check(out, DD_ERR_USAGE, "the configuration's name",
                         "results are stored under it, so rename the configuration file");
}

static bool has_ending(const char *name)
{
    size_t length = strlen(name), of_ending = strlen(ending);
    return length > of_ending && !strcmp(name + length - of_ending, ending);
}

/* ---- the program's own ---- */

static int keep_configuration(const struct dirent *entry)
{
    return has_ending(entry->d_name);
}

dd_status dd_config_names_read(dd_config_names *names)
{
    struct dirent **entry;
    *names = (dd_config_names){.folder = dd_share_path("configs", "configs")};
    if (!names->folder)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    int count = scandir(names->folder, &entry, keep_configuration, alphasort);
    if (count <= 0)
        return DD_OK;
    names->name = calloc((size_t)count, sizeof *names->name);
    for (int i = 0; i < count; i++) {
        char *name = names->name ? strndup(entry[i]->d_name, strlen(entry[i]->d_name) - strlen(ending)) : NULL;
        if (name)
            names->name[names->count++] = name;
        free(entry[i]);
    }
    free(entry);
    if (names->count == count)
        return DD_OK;
    dd_config_names_free(names);
    return dd_fail(DD_ERR_MEMORY, "out of memory");
}

void dd_config_names_free(dd_config_names *names)
{
    for (int i = 0; i < names->count; i++)
        free(names->name[i]);
    free(names->name);
    free(names->folder);
    *names = (dd_config_names){0};
}

/* ---- finding one ---- */

static bool is_file(const char *path)
{
    struct stat about;
    return !stat(path, &about) && !S_ISDIR(about.st_mode);
}

static dd_status unknown_name(const char *word, const dd_config_names *own)
{
    char near[DD_SUGGESTION];
    dd_suggest(word, (const char *const *)own->name, own->count, near);
    return dd_fail(DD_ERR_IO,
                   "%s: No such file, and no configuration of that name in %s%s `dualdiff configs` lists the "
                   "configurations",
                   word, own->folder, *near ? near : ";");
}

static dd_status find_own(const char *word, char **path)
{
    dd_config_names own;
    DD_TRY(dd_config_names_read(&own));
    dd_status status = DD_OK;
    if (asprintf(path, "%s/%s%s", own.folder, word, ending) < 0)
        status = dd_fail(DD_ERR_MEMORY, "out of memory");
    else if (!is_file(*path)) {
        free(*path);
        status = unknown_name(word, &own);
    }
    dd_config_names_free(&own);
    return status;
}

/* A folder of results may have the name of a configuration. */
dd_status dd_config_find(const char *word, char **path)
{
    bool given = strchr(word, '/') || is_file(word);
    if (asprintf(path, "%s%s", word, given ? "" : ending) < 0)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    if (given || is_file(*path))
        return DD_OK;
    free(*path);
    return find_own(word, path);
}

/* ---- reading ---- */

dd_status dd_override_config(const dd_args *args, dd_config *config)
{
    const char **sets;
    int count;
    dd_status status = dd_args_values(args, "set", &sets, &count);
    for (int i = 0; i < count && !status; i++)
        status = dd_config_set(config, sets[i]);
    free(sets);
    return status ? status : dd_config_validate(config);
}

static dd_status read_word(const char *word, dd_config *config)
{
    char *path;
    DD_TRY(dd_config_find(word, &path));
    dd_status status = dd_config_read(path, config);
    free(path);
    return status;
}

dd_status dd_config_open(const char *word, dd_config *config)
{
    DD_TRY(read_word(word, config));
    return dd_config_validate(config);
}

dd_status dd_read_config(const dd_args *args, dd_config *config)
{
    DD_TRY(read_word(args->word[0], config));
    return dd_override_config(args, config);
}

/* A generated set among the values of --dataset; NULL if all are files. */
static dd_status find_generated(const dd_args *args, const char **generated)
{
    const char **name;
    int count;
    DD_TRY(dd_args_values(args, "dataset", &name, &count));
    for (int i = 0; i < count; i++)
        if (dd_generator_find(name[i]))
            *generated = name[i];
    free(name);
    return DD_OK;
}

static dd_status check_reading_options(const dd_args *args)
{
    static const char *const options[] = {"header", "columns", "drop-incomplete"};
    const char *generated = NULL;
    DD_TRY(find_generated(args, &generated));
    for (int i = 0; i < 3; i++) {
        if (!dd_args_has(args, options[i]))
            continue;
        if (!dd_args_has(args, "dataset"))
            return dd_fail(DD_ERR_USAGE, "%s: --%s needs a file; name it with --dataset", args->command->name,
                           options[i]);
        if (generated)
            return dd_fail(DD_ERR_USAGE, "%s: --%s is for files, and %s is made by name; leave one of them out",
                           args->command->name, options[i], generated);
    }
    return DD_OK;
}

dd_status dd_reading_option(const dd_args *args, dd_reading *reading)
{
    const char *word = dd_args_value(args, "header", NULL), *columns = dd_args_value(args, "columns", NULL);
    DD_TRY(check_reading_options(args));
    if (word && dd_header_row_parse(word, &reading->header))
        return dd_fail(DD_ERR_USAGE, "%s: --header %s: must be yes, no or auto", args->command->name, word);
    if (columns && strlen(columns) >= sizeof reading->columns)
        return dd_fail(DD_ERR_USAGE, "%s: --columns: longer than %zu letters; choose by number, for instance 1-5,9",
                       args->command->name, sizeof reading->columns - 1);
    if (columns)
        snprintf(reading->columns, sizeof reading->columns, "%s", columns);
    reading->drop_incomplete |= dd_args_has(args, "drop-incomplete");
    return DD_OK;
}

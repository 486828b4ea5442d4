/* Configurations: any text is read or refused, and what is read prints as text that reads back to the same. */
#include <string.h>

#include "config/config.h"
#include "fuzz_file.h"
#include "model/model.h"
#include "model/schedule.h"

static void check_round_trip(const dd_config *config)
{
    dd_config again;
    dd_config_defaults(&again);
    char *text = dd_config_print(config), *twice = NULL;
    if (text && !dd_config_parse(text, "printed", &again))
        twice = dd_config_print(&again);
    if (!twice || strcmp(text, twice))
        abort();
    free(text);
    free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dd_config config;
    dd_model model;
    dd_schedule schedule;
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    dd_config_defaults(&config);
    if (!dd_config_parse(text, "fuzz.toml", &config)) {
        check_round_trip(&config);
        if (!dd_config_validate(&config) && !dd_model_create(&config.model, 2, &model) &&
            !dd_schedule_create(&config, &schedule))
            dd_schedule_free(&schedule);
    }
    dd_ignore(dd_config_set(&config, text));
    free(text);
    return 0;
}

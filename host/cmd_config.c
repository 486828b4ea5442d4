#include "cmd_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

int dd_config_name(const char *path, char out[DD_NAME])
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    size_t length = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    dd_name_copy(out, name, length);
    return dd_name_check(out, DD_ERR_USAGE, "the configuration's name",
                         "results are stored under it, so rename the configuration file");
}

int dd_override_config(const dd_args *args, dd_config *config)
{
    const char **sets;
    int count;
    int status = dd_args_values(args, "set", &sets, &count);
    for (int i = 0; i < count && !status; i++)
        status = dd_config_set(config, sets[i]);
    free(sets);
    return status ? status : dd_config_validate(config);
}

int dd_read_config(const dd_args *args, dd_config *config)
{
    DD_TRY(dd_config_read(args->word[0], config));
    return dd_override_config(args, config);
}

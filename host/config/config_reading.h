/* How the files of this folder turn text into a configuration: each value is passed to dd_config_take (config.c). */
#ifndef DD_CONFIG_READING_H
#define DD_CONFIG_READING_H

#include "config/toml.h"

struct dd_config; /* config.h */

typedef struct dd_config_reading {
    struct dd_config *config;
    const char *origin; /* file name, or "--set section.key=value" */
} dd_config_reading;

/* Put one value of the text into the configuration; for dd_toml_parse, `user` is a dd_config_reading. DD_ERR_CONFIG for
 * an unknown key, a wrong type, or a number out of range. */
DD_CHECKED dd_status dd_config_take(void *user, const dd_toml_value *value);

#endif

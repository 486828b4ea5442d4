/* The configuration of a command that takes CONFIG and --set. */
#ifndef DD_CMD_CONFIG_H
#define DD_CMD_CONFIG_H

#include "args.h"
#include "config.h"
#include "names.h"

/* Read the file that the command's first word names, override it by its --set, and check it. */
int dd_read_config(const dd_args *args, dd_config *config);

/* Override `config` by the command's --set, and check it. */
int dd_override_config(const dd_args *args, dd_config *config);

/* The name that results go by: "configs/run_1.toml" is run_1. DD_ERR_USAGE where it cannot be part of a path. */
int dd_config_name(const char *path, char out[DD_NAME]);

#endif

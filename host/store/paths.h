/* The paths of a run's files (store.h). */
#ifndef DD_PATHS_H
#define DD_PATHS_H

#include <stdint.h>

/* Path of a run's file, "<out>/<config>/<dataset>/seed_<n><suffix>", malloc'ed; NULL when memory is out. */
char *dd_run_path(const char *out, const char *config_name, const char *dataset, uint64_t seed, const char *suffix);

#endif

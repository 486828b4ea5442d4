/* final_info.json of a run: means and standard errors over seeds, in the form that the reference writes. */
#ifndef DD_FINAL_INFO_H
#define DD_FINAL_INFO_H

#include "base/error.h"
#include "compare/results_scan.h"

/* Write `run_dir`/final_info.json in the reference's form, {dataset: {"means": {metric: value}}}, with "stderrs"
 * (standard error of the mean) next to "means" if there are several seeds. Replaced atomically. A result that cannot be
 * read is left out, and its message is given to `left_out`. DD_ERR_IO also if there is no result under `run_dir`;
 * DD_ERR_CONFLICT: another program wrote the existing file. */
DD_CHECKED dd_status dd_final_info_write(const char *run_dir, void (*left_out)(const void *user, const char *message),
                                         const void *user);

/* The same for `count` entries of one run, into any directory. */
DD_CHECKED dd_status dd_final_info_write_entries(const char *out_dir, const dd_entry *entry, int count);

#endif

/* Decides what a command may replace: a file of the kind that the command itself writes, and an empty file. A file of
 * any other kind is kept unless the user gives --overwrite, and so is a file whose kind is unknown (not readable,
 * damaged, or open for writing in another program). Commands check this before their work:
 *
 *     DD_TRY(dd_overwrite_check("table.md", DD_WRITES_TABLE, dd_args_has(&args, "overwrite")));
 *
 * All of these return DD_OK if nothing exists there, else DD_ERR_CONFLICT with a message that says what exists and the
 * cure.
 */
#ifndef DD_OVERWRITE_H
#define DD_OVERWRITE_H

#include <stdbool.h>

#include "base/error.h"

/* The option's entry in a command's table. */
#define DD_OVERWRITE_OPTION                                                                                            \
    {                                                                                                                  \
        "overwrite", NULL, 0,                                                                                          \
            "replace an existing file, even if it is of another kind or cannot be read now. Default: replace only "    \
            "files that this command wrote."                                                                           \
    }

typedef enum dd_written_kind {
    DD_WRITES_POINTS,  /* `sample`. Its own HDF5 and NPY are replaced; a CSV is not, because it may be the user's points
                        */
    DD_WRITES_TABLE,   /* `compare --output`, in any format */
    DD_WRITES_PAGE,    /* `report` */
    DD_WRITES_SUMMARY, /* final_info.json */
    DD_WRITES_UNKNOWN  /* files that cannot be recognised: they are never replaced */
} dd_written_kind;

DD_CHECKED dd_status dd_overwrite_check(const char *path, dd_written_kind kind, bool overwrite);

/* For results without a network (`floor`, `oracle`, `evaluate --out`), with `points` as for dd_result_write_samples. A
 * file that contains a network is never replaced. */
DD_CHECKED dd_status dd_overwrite_check_draw(const char *path, const char *points, bool overwrite);

#endif

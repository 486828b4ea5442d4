/* What a command may replace: a file of the kind that it writes there itself, and an empty one. A file of any other
 * kind, and one whose kind cannot be told now (not readable, damaged, open for writing in another program), is kept
 * unless the user said --overwrite. Commands ask before their work:
 *
 *     DD_TRY(dd_overwrite_check("table.md", DD_WRITES_TABLE, dd_args_has(&args, "overwrite")));
 *
 * All of these return DD_OK when nothing is there, and DD_ERR_CONFLICT with what is there and the cure.
 */
#ifndef DD_OVERWRITE_H
#define DD_OVERWRITE_H

#include "base/error.h"

/* The option's entry in a command's table. */
#define DD_OVERWRITE_OPTION                                                                                            \
    {                                                                                                                  \
        "overwrite", NULL, 0,                                                                                          \
            "replace what is there, also a file of another kind or one that cannot be read now. Default: only what "   \
            "this command wrote itself is replaced."                                                                   \
    }

typedef enum dd_written_kind {
    DD_WRITES_POINTS,  /* `sample`. Its own HDF5 and NPY are replaced; no CSV, which may be the user's points */
    DD_WRITES_TABLE,   /* `compare --output`, in any format */
    DD_WRITES_PAGE,    /* `report` */
    DD_WRITES_SUMMARY, /* final_info.json */
    DD_WRITES_UNKNOWN  /* files that cannot be recognised: none is replaced */
} dd_written_kind;

DD_CHECKED dd_status dd_overwrite_check(const char *path, dd_written_kind kind, int overwrite);

/* For results without a network (`floor`, `oracle`, `evaluate --out`), with `points` as for dd_result_write_samples. A
 * file with a network in it is never replaced. */
DD_CHECKED dd_status dd_overwrite_check_draw(const char *path, const char *points, int overwrite);

#endif

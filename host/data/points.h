/* A set of points, and the user's choices for reading a file of points. dataset.h makes and reads sets. */
#ifndef DD_POINTS_H
#define DD_POINTS_H

#include <stdbool.h>
#include <stdint.h>

#include "data/columns.h"

/* What the first row of a CSV is. AUTO: a header if it has no number, else a point; if it could be both, DD_ERR_DATA
 * asks the user. */
typedef enum dd_header_row { DD_HEADER_ROW_AUTO, DD_HEADER_ROW_YES, DD_HEADER_ROW_NO } dd_header_row;

/* Reads "auto", "yes" or "no"; returns nonzero for any other word. */
extern const char *const dd_header_row_names[];
int dd_header_row_parse(const char *word, dd_header_row *header);

enum { DD_COLUMN_CHOICE = 4096, DD_POINTS_NOTE = 512 };

/* The user's choices for reading a file. */
typedef struct dd_reading {
    dd_header_row header;
    bool drop_incomplete;           /* leave out rows in which a value is missing; else such a row is DD_ERR_DATA */
    char columns[DD_COLUMN_CHOICE]; /* --columns as given (points_choice.h); "": all */
} dd_reading;

typedef struct dd_points {
    char name[64]; /* generator's name (with D where that can be chosen: gaussians_d8), the file's stem, or stdin */
    char set[64];  /* the generator as the user names it (embedded:dino); "" for a file */
    dd_data_config data; /* [data] that it was made with: what a generated set or a file does not need is 0, and numbers
                            of a random set that the user left open are there */
    uint32_t n;          /* points */
    dd_columns columns;
    float *x;                  /* (n, columns.count), scaled as the columns say */
    bool generated;            /* made by name; else read from a file */
    uint64_t checksum;         /* points_table.h; two sets with equal sums count as the same */
    char note[DD_POINTS_NOTE]; /* what was left out of a file, for the user; "" if nothing */
    char *path; /* absolute, with the part after the colon; NULL unless it is a file that can be read again */
} dd_points;

/* The training points of a stored run, to find them again in a file. */
typedef struct dd_like {
    const dd_columns *columns; /* the points are scaled in the same way */
    uint64_t checksum;
} dd_like;

/* Free the memory of a set; it then has no points. NULL: nothing. */
void dd_points_free(dd_points *points);

#endif

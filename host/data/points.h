/* A set of points, and what the user decides of how a file of them is read. dataset.h makes and reads sets. */
#ifndef DD_POINTS_H
#define DD_POINTS_H

#include <stdint.h>

/* What the first row of a CSV is. AUTO: a header if it holds no number, else a point; in doubt DD_ERR_DATA asks. */
typedef enum dd_header_row { DD_HEADER_ROW_AUTO, DD_HEADER_ROW_YES, DD_HEADER_ROW_NO } dd_header_row;

/* "auto", "yes" and "no"; nonzero where `word` is none of them. */
extern const char *const dd_header_row_names[];
int dd_header_row_parse(const char *word, dd_header_row *header);

/* How a file is read, as far as the user decides it. */
typedef struct dd_reading {
    dd_header_row header;
} dd_reading;

typedef struct dd_points {
    char name[64];     /* generator's name, the file's stem, or stdin */
    uint32_t n;        /* points */
    float *xy;         /* (n, 2) */
    int generated;     /* 1: made by name, 0: read from a file */
    uint64_t checksum; /* FNV-1a over n and the bytes of xy: two sets with equal sums are taken for the same */
    char *path;        /* absolute, with what is behind the colon; NULL unless it is a file that can be read again */
} dd_points;

/* Frees what a set holds; it then has no points. */
void dd_points_free(dd_points *points);

#endif

/* Text in a CSV file. */
#ifndef DD_CSV_H
#define DD_CSV_H

#include <stdio.h>

/* Print one field, in quotes where RFC 4180 requires them. */
void dd_print_csv_field(FILE *out, const char *text);

#endif

/* dump_dataset NAME|FILE N SEED STREAM [auto|yes|no [KEY=VALUE ...]]: the points as raw float32 (n, D) on standard
 * output, "name n generated checksum" on standard error; or the message there and the status as exit code. KEY=VALUE:
 * of the configuration. SEED is that of the points and, without data.seed=VALUE, that of a random distribution.
 *
 * dump_dataset FILE columns CHOICE keep|drop [auto|yes|no]: a file of any width as --columns CHOICE and
 * --drop-incomplete read it: (n, D), and on standard error the names of the columns and the note, one a line.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "data/dataset.h"
#include "data/points_file.h"
#include "data/points_table.h"

static dd_header_row header_row(int argc, char **argv)
{
    dd_header_row header = DD_HEADER_ROW_AUTO;
    return argc > 5 && dd_header_row_parse(argv[5], &header) ? DD_HEADER_ROW_AUTO : header;
}

static dd_status open_points(int argc, char **argv, dd_points *points)
{
    dd_reading reading = {.header = header_row(argc, argv)};
    dd_config config;
    dd_request request = {.name = argv[1],
                          .reading = &reading,
                          .data = &config.data,
                          .n = (uint32_t)strtoul(argv[2], NULL, 10),
                          .seed = strtoull(argv[3], NULL, 10),
                          .stream = (dd_stream)atoi(argv[4])};
    dd_config_defaults(&config);
    config.data.seed = request.seed;
    config.data.heldout_share = 0;
    config.data.scale = DD_SCALE_NONE;
    for (int i = 6; i < argc; i++)
        DD_TRY(dd_config_set(&config, argv[i]));
    return dd_points_request(&request, points, NULL);
}

static dd_status read_columns(char **argv, dd_header_row header, dd_points *points)
{
    dd_reading reading = {.header = header, .drop_incomplete = !strcmp(argv[4], "drop")};
    snprintf(reading.columns, sizeof reading.columns, "%s", argv[3]);
    dd_rows rows = {.reading = &reading};
    DD_TRY(dd_rows_read(argv[1], &rows));
    dd_status status = dd_points_of_rows(&rows, &(dd_data_config){.scale = DD_SCALE_NONE}, NULL, points, NULL);
    dd_rows_free(&rows);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return DD_ERR_USAGE;
    dd_points points = {0};
    bool by_columns = !strcmp(argv[2], "columns");
    dd_status status =
        by_columns ? read_columns(argv, header_row(argc, argv), &points) : open_points(argc, argv, &points);
    if (status) {
        fprintf(stderr, "%s\n", dd_error_message());
        return (int)status;
    }
    for (int c = 0; c < points.columns.count && by_columns; c++)
        fprintf(stderr, "%s\n", points.columns.column[c].name);
    if (by_columns)
        fprintf(stderr, "%s\n", points.note);
    else
        fprintf(stderr, "%s %" PRIu32 " %d %016" PRIx64 "\n", points.name, points.n, points.generated, points.checksum);
    size_t written = fwrite(points.x, (size_t)points.columns.count * sizeof *points.x, points.n, stdout);
    status = written == points.n && !fflush(stdout) ? DD_OK : DD_ERR_IO;
    dd_points_free(&points);
    return (int)status;
}

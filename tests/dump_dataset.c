/* dump_dataset NAME|FILE N SEED STREAM [auto|yes|no]: the points as raw float32 (n, 2) on standard output, "name n
 * generated checksum" on standard error; or the message there and the status as exit code. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "data/dataset.h"

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 6)
        return DD_ERR_USAGE;
    dd_points points;
    dd_reading reading = {DD_HEADER_ROW_AUTO};
    if (argc == 6 && strcmp(argv[5], "auto"))
        reading.header = strcmp(argv[5], "yes") ? DD_HEADER_ROW_NO : DD_HEADER_ROW_YES;
    int status = dd_points_open_as(argv[1], &reading, (uint32_t)strtoul(argv[2], NULL, 10), strtoull(argv[3], NULL, 10),
                                   (dd_stream)atoi(argv[4]), &points);
    if (status) {
        fprintf(stderr, "%s\n", dd_error_message());
        return status;
    }
    fprintf(stderr, "%s %" PRIu32 " %d %016" PRIx64 "\n", points.name, points.n, points.generated, points.checksum);
    size_t written = fwrite(points.x, 2 * sizeof *points.x, points.n, stdout);
    status = written == points.n && !fflush(stdout) ? DD_OK : DD_ERR_IO;
    dd_points_free(&points);
    return status;
}

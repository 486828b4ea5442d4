/* The directions of the Fourier features, so that whoever reads a result can run its networks without this program. */
#include <stdlib.h>

#include "store/run_file.h"

void dd_write_features(dd_h5_file *f, const dd_model *model, uint64_t seed)
{
    if (model->config.embedding != DD_EMBED_FOURIER || f->status)
        return;
    hsize_t count = (hsize_t)model->config.fourier_features / 2, dimensions = (hsize_t)model->dimensions;
    double *direction = malloc(count * dimensions * sizeof *direction);
    if (!direction) {
        f->status = dd_fail(DD_ERR_MEMORY, "out of memory for the Fourier features");
        return;
    }
    dd_model_features(model, seed, direction);
    dd_h5_group(f, "/model");
    dd_h5_index_scale(f, "/model/feature", count, "number of the direction");
    dd_h5_index_scale(f, "/model/coordinate", dimensions, "coordinate of a point");
    dd_h5_dataset(f,
                  &(dd_h5_spec){.name = "/model/features",
                                .type = H5T_NATIVE_DOUBLE,
                                .rank = 2,
                                .size = {count, dimensions},
                                .dimension = {"/model/feature", "/model/coordinate"},
                                .units = "1",
                                .long_name = "directions; the networks' inputs are the sines of their products with a "
                                             "point, then the cosines"},
                  direction);
    free(direction);
}

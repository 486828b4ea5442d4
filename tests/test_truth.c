/* What is known of every generated dataset, against its points: shares, atoms, and which region a point belongs to. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "data/dataset.h"
#include "data/generators.h"
#include "data/plane.h"

static void check_sums(const char *name, const dd_plane *t)
{
    double share = 0., weight = 0.;
    int atoms = 0;
    for (int i = 0; i < t->regions; i++) {
        const dd_region *r = &t->region[i];
        double of_region = 0.;
        CHECK(r->atom == atoms && r->atoms > 0, "%s: region %d has atoms from %d on", name, i, r->atom);
        for (int j = r->atom; j < r->atom + r->atoms; j++)
            of_region += t->atom[j].weight;
        CHECK(fabs(of_region - r->share) < 1e-12, "%s: region %d weighs %.15g, its share is %.15g", name, i, of_region,
              r->share);
        atoms += r->atoms;
        share += r->share;
    }
    for (int i = 0; i < t->atoms; i++) {
        weight += t->atom[i].weight;
        CHECK(t->atom[i].weight > 0., "%s: atom %d weighs %g", name, i, t->atom[i].weight);
    }
    CHECK(atoms == t->atoms, "%s: %d atoms of %d belong to a region", name, atoms, t->atoms);
    CHECK(fabs(share - 1.) < 1e-12 && fabs(weight - 1.) < 1e-12, "%s: %.15g, %.15g", name, share, weight);
}

/* Whether no other region's points are mistaken for this one's. */
static int stands_alone(const dd_plane *t, int region)
{
    const dd_region *r = &t->region[region];
    for (int i = 0; i < t->regions && r->kind == DD_REGION_GAUSSIAN; i++) {
        const dd_region *o = &t->region[i];
        if (i != region &&
            hypot((o->centre[0] - r->centre[0]) / r->size[0], (o->centre[1] - r->centre[1]) / r->size[1]) < 9.)
            return 0;
    }
    return 1;
}

static void check_points(const char *name, const dd_plane *t, uint32_t n)
{
    dd_points p;
    int *count = calloc((size_t)t->regions, sizeof *count), good = 0, off = 0;
    double mean[2] = {0., 0.}, square[2] = {0., 0.}, moment[2] = {0., 0.}, spread[2] = {0., 0.};
    CHECK_OK(dd_points_open(name, n, 3, DD_STREAM_HELDOUT, &p));
    for (uint32_t i = 0; i < n; i++) {
        double x[2] = {p.x[2 * (size_t)i], p.x[2 * (size_t)i + 1]}, distance;
        int region = dd_plane_nearest(t, x, &distance);
        int sigmas = t->region[region].kind == DD_REGION_GAUSSIAN || t->region[region].kind == DD_REGION_CURVE;
        count[region]++;
        good += distance <= (sigmas ? 3. : 1e-6);
        off += distance > (sigmas ? 6. : .02);
        for (int c = 0; c < 2; c++) {
            mean[c] += x[c] / n;
            square[c] += x[c] * x[c] / n;
        }
    }
    /* 1.1 % of a normal distribution in the plane is beyond 3 sigma, .3 % of one across a line. */
    CHECK(good > .985 * n && off == 0, "%s: %d of %u points good, %d off", name, good, n, off);
    int alone = 0;
    for (int i = 0; i < t->regions; i++) {
        double expected = n * t->region[i].share, sd = sqrt(expected * (1. - t->region[i].share));
        if (!stands_alone(t, i))
            continue;
        alone++;
        /* pinwheel's arms and two_spirals' meet at the origin */
        CHECK(fabs(count[i] - expected) < 4.5 * sd + .002 * expected + 1e-6,
              "%s: region %d has %d points of %.1f +- %.1f", name, i, count[i], expected, sd);
    }
    CHECK(alone || t->regions > 100, "%s: no region is far from the others", name);
    /* The atoms' moments are the points'. */
    for (int i = 0; i < t->atoms; i++)
        for (int c = 0; c < 2; c++) {
            const dd_atom *a = &t->atom[i];
            moment[c] += a->weight * a->centre[c];
            spread[c] +=
                a->weight * (a->centre[c] * a->centre[c] + a->sigma[c] * a->sigma[c] + a->half[c] * a->half[c] / 3.);
        }
    for (int c = 0; c < 2; c++) {
        double sd = sqrt(spread[c] / n);
        CHECK(fabs(mean[c] - moment[c]) < 4.5 * sd, "%s: mean %g, of the atoms %g", name, mean[c], moment[c]);
        CHECK(fabs(square[c] / spread[c] - 1.) < 4.5 * sqrt(2. / n), "%s: mean square %g, of the atoms %g", name,
              square[c], spread[c]);
    }
    free(count);
    dd_points_free(&p);
}

static void check_kinds(void)
{
    static const struct {
        const char *name;
        int countable, regions;
        dd_region_kind kind;
    } known[] = {
        {"checkerboard", 1, 8, DD_REGION_BOX},  {"circle", 1, 17, DD_REGION_DISC},
        {"dino", 1, 142, DD_REGION_GAUSSIAN},   {"eight_gaussians", 1, 8, DD_REGION_GAUSSIAN},
        {"line", 0, 1, DD_REGION_BOX},          {"moons", 0, 2, DD_REGION_CURVE},
        {"panda", 1, 670, DD_REGION_GAUSSIAN}, /* 689 points, 19 of them twice */
        {"pinwheel", 1, 5, DD_REGION_CURVE},    {"rings", 1, 4, DD_REGION_CURVE},
        {"swiss_roll", 0, 1, DD_REGION_CURVE},  {"twentyfive_gaussians", 1, 25, DD_REGION_GAUSSIAN},
        {"two_spirals", 0, 2, DD_REGION_CURVE},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        dd_truth t;
        CHECK_OK(dd_truth_create(known[i].name, NULL, &t));
        CHECK(t.countable == known[i].countable && t.plane.regions == known[i].regions, "%s: %d, %d regions", t.name,
              t.countable, t.plane.regions);
        for (int j = 0; j < t.plane.regions; j++)
            CHECK(t.plane.region[j].kind == known[i].kind, "%s: region %d is of kind %d", t.name, j,
                  t.plane.region[j].kind);
        dd_truth_free(&t);
    }
}

/* The region and distance of one point; a polyline runs up to .0015 standard deviations inside its curve. */
static void check_nearest(const char *name, double x, double y, double centre_x, double centre_y, double distance)
{
    dd_truth t;
    double d;
    CHECK_OK(dd_truth_create(name, NULL, &t));
    const dd_region *r = &t.plane.region[dd_plane_nearest(&t.plane, (double[]){x, y}, &d)];
    CHECK(fabs(r->centre[0] - centre_x) < 1e-9 && fabs(r->centre[1] - centre_y) < 1e-9,
          "%s: (%g, %g) belongs to the region at (%g, %g)", name, x, y, r->centre[0], r->centre[1]);
    CHECK(fabs(d - distance) < 2e-3, "%s: (%g, %g) is at distance %g, not %g", name, x, y, d, distance);
    dd_truth_free(&t);
}

static void check_regions_of_points(void)
{
    check_nearest("line", 1., -3.9, 0., 0., 0.);
    check_nearest("line", 2.3, 4.4, 0., 0., .5);
    check_nearest("circle", .05, 0., 0., 0., 0.);
    check_nearest("circle", 3.2, 0., 3., 0., .11);
    check_nearest("eight_gaussians", 0., 3.06, 0., 3., 2.);
    check_nearest("twentyfive_gaussians", 2., -1.8, 2., -2., 4.);
    check_nearest("checkerboard", -3.5, -3.5, -3., -3., 0.);
    check_nearest("checkerboard", -3.5, -1.9, -3., -3., .1);
    /* Where two squares meet; a little to one's side of the corner, in neither. */
    check_nearest("checkerboard", -2.1, -1.8, -1., -1., .1);
    /* At the top of the outer moon, (0, 1) of the unit one, and beyond it: .09 is a standard deviation there. */
    check_nearest("moons", -.4, 2.9, -.4, 2.9, 0.);
    check_nearest("moons", -.4, 3.17, -.4, 2.9, 3.);
    check_nearest("moons", 1.6, -1.6, 1.6, -1.6, 0.);
    check_nearest("rings", 0., 2.25, 0., 0., 0.);
    check_nearest("rings", 2.25 + .16, 0., 0., 0., 2.); /* where the polyline closes */
}

/* A point inside two boxes belongs to the one with the nearer centre. */
static void check_tie(void)
{
    dd_region region[] = {{.kind = DD_REGION_BOX, .centre = {0., 0.}, .size = {2., 2.}},
                          {.kind = DD_REGION_BOX, .centre = {1., 0.}, .size = {2., 2.}}};
    dd_plane t = {.regions = 2, .region = region};
    double distance;
    CHECK(dd_plane_nearest(&t, (double[]){.4, 0.}, &distance) == 0 && distance == 0., "%g", distance);
    CHECK(dd_plane_nearest(&t, (double[]){.6, 0.}, &distance) == 1 && distance == 0., "%g", distance);
}

int main(void)
{
    dd_truth t;
    for (int i = 0; dd_generators[i]; i++) {
        if (dd_generators[i]->family)
            continue;
        const char *name = dd_generators[i]->name;
        CHECK_OK(dd_truth_create(name, NULL, &t));
        CHECK(!strcmp(t.name, name), "%s is named %s", name, t.name);
        check_sums(name, &t.plane);
        check_points(name, &t.plane, t.plane.regions > 200 ? 20000 : 100000);
        dd_truth_free(&t);
        CHECK(!t.plane.region && !t.plane.atom, "freed");
    }
    check_kinds();
    check_regions_of_points();
    check_tie();
    CHECK(dd_truth_create("dion", NULL, &t) == DD_ERR_USAGE && strstr(dd_error_message(), "did you mean 'dino'"), "%s",
          dd_error_message());
    return check_report();
}

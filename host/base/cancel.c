#include "base/cancel.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

static const volatile sig_atomic_t *watched;

void dd_cancel_watch(const volatile sig_atomic_t *flag)
{
    watched = flag;
}

bool dd_cancelled(void)
{
    return watched && *watched;
}

dd_status dd_check_cancelled(void)
{
    return dd_cancelled() ? dd_fail(DD_STOPPED, "stopped") : DD_OK;
}

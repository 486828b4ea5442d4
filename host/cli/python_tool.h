/* Helper programs in Python: pictures and the reference's pickle. */
#ifndef DD_PYTHON_TOOL_H
#define DD_PYTHON_TOOL_H

#include "base/error.h"
#include "compare/results_scan.h"

/* Run `script` of share/dualdiff (or of the source's python/) with the arguments ["--option", value, ...], NULL at
 * the end, and wait for it. Its standard input gets the first `count` entries, each as run, dataset, seed and path
 * with a NUL after each. Files that it finds damaged are added to entries->left_out.
 *
 * The interpreter is DUALDIFF_PYTHON, else that of the source's .venv, else python3. It gets only those of the user's
 * Python settings that say where packages are. DD_ERR_TOOL: the script or the interpreter is missing, or the script
 * failed. */
DD_CHECKED dd_status dd_tool_run(const char *script, const char *const *argument, dd_entries *entries, int count);

#endif

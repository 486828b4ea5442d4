/* Finds files that are installed with the program: its configurations and the Python programs that draw pictures. */
#ifndef DD_SHARE_H
#define DD_SHARE_H

/* The path of `installed`, a name in share/dualdiff of the installation. If the program was not installed, the path of
 * `in_source` in its source folder. malloc'ed; the path need not exist; NULL when memory is out. */
char *dd_share_path(const char *installed, const char *in_source);

#endif

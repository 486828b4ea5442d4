/* What is installed with the program: its configurations and the Python programs that draw pictures. */
#ifndef DD_SHARE_H
#define DD_SHARE_H

/* Where `installed`, a name in share/dualdiff of the installation, lies; where the program was not installed, the path
 * `in_source` of its source folder. malloc'ed, whether something is there or not; NULL when memory is out. */
char *dd_share_path(const char *installed, const char *in_source);

#endif

#ifndef DD_DIRECTORIES_H
#define DD_DIRECTORIES_H

/* Make every directory that leads to the file `path`. DD_ERR_IO names the one that cannot be made, and `option`, which
 * chose it. */
int dd_make_directories(const char *path, const char *option);

#endif

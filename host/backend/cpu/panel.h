/* The CPU backend stores matrices in panels of so many columns (kernels.h describes them). */
#ifndef DD_CPU_PANEL_H
#define DD_CPU_PANEL_H

enum { DD_PANEL = 16 };

#endif

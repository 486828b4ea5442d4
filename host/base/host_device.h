/* Marks a function that host and device both call. */
#ifndef DD_HOST_DEVICE_H
#define DD_HOST_DEVICE_H

#ifdef __CUDACC__
#define DD_HOST_DEVICE __host__ __device__
#else
#define DD_HOST_DEVICE
#endif

#endif

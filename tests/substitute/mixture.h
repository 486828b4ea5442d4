/* The draws that both sides of test_curand.cpp make; included once behind each cuRAND header. */
static inline void draw_mixture(unsigned long long seed, unsigned long long subsequence, unsigned long long offset,
                                unsigned *word, float *number)
{
    curandStatePhilox4_32_10_t state;
    curand_init(seed, subsequence, offset, &state);
    for (int i = 0; i < 3; i++)
        *word++ = curand(&state);
    for (int i = 0; i < 4; i++) {
        uint4 four = curand4(&state);
        *word++ = four.x;
        *word++ = four.y;
        *word++ = four.z;
        *word++ = four.w;
    }
    skipahead(7, &state);
    *word++ = curand(&state);
    skipahead_sequence(5, &state);
    for (int i = 0; i < 4; i++)
        *word++ = curand(&state);
    *number++ = curand_uniform(&state);
    for (int i = 0; i < 2; i++) {
        float4 four = curand_uniform4(&state);
        *number++ = four.x;
        *number++ = four.y;
        *number++ = four.z;
        *number++ = four.w;
    }
    for (int i = 0; i < 2; i++) {
        float4 four = curand_normal4(&state);
        *number++ = four.x;
        *number++ = four.y;
        *number++ = four.z;
        *number++ = four.w;
    }
    for (int i = 0; i < 2; i++) {
        float2 two = curand_normal2(&state);
        *number++ = two.x;
        *number++ = two.y;
    }
    for (int i = 0; i < 3; i++)
        *number++ = curand_normal(&state);
}

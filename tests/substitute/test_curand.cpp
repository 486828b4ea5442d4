/* The substitute's curand_kernel.h against the real one, number for number, and against the real library's host
 * generator. Where the toolkit is not, only the known answers of the generator's authors are looked at.
 */
#include <cmath>
#include <cstdio>
#include <cstring>

#include "launching.h"

#include "curand_kernel.h"

#include "mixture.h"
#if defined(PEER)
#include "peer_curand.h"
#endif

/* Random123 1.09, tests/kat_vectors: philox4x32 10. */
static void test_known_answers()
{
    uint4 zero = substitute::philox_block(make_uint4(0, 0, 0, 0), make_uint2(0, 0));
    CHECK(zero.x == 0x6627e8d5 && zero.y == 0xe169c58d && zero.z == 0xbc57ac4c && zero.w == 0x9b00dbd8, "%08x", zero.x);
    uint4 ones = substitute::philox_block(make_uint4(~0u, ~0u, ~0u, ~0u), make_uint2(~0u, ~0u));
    CHECK(ones.x == 0x408f276d && ones.y == 0x41c83b0e && ones.z == 0xa20bc7c6 && ones.w == 0x6d5451fd, "%08x", ones.x);
    uint4 pi = substitute::philox_block(make_uint4(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344),
                                        make_uint2(0xa4093822, 0x299f31d0));
    CHECK(pi.x == 0xd16cfe09 && pi.y == 0x94fdcceb && pi.z == 0x5001e420 && pi.w == 0x24126ea1, "%08x", pi.x);
}

#if defined(PEER)
static void test_device_functions()
{
    const unsigned long long large = 0x123456789ABCDEFull;
    for (unsigned long long seed : {0ull, 42ull, large})
        for (unsigned long long subsequence : {0ull, 1ull, (2ull << 32) | 9999, large})
            for (unsigned long long offset : {0ull, 1ull, 2ull, 3ull, 4ull, 1023ull, 4ull * 99999, (1ull << 34) - 5}) {
                unsigned word[24], expected_word[24];
                float number[24], expected_number[24];
                draw_mixture(seed, subsequence, offset, word, number);
                peer_mixture(seed, subsequence, offset, expected_word, expected_number);
                CHECK(!memcmp(word, expected_word, sizeof word), "integers of seed %llx, subsequence %llx, offset %llx",
                      seed, subsequence, offset);
                for (int i = 0; i < 24; i++)
                    CHECK(std::fabs(number[i] - expected_number[i]) <= 1e-6f, "number %d: %.9g instead of %.9g", i,
                          number[i], expected_number[i]);
            }
}

/* The order of the host generator's outputs: 65536 subsequences take turns with four outputs each. */
static void test_host_generator()
{
    const unsigned long n = 1 << 19;
    std::vector<unsigned> word(n);
    CHECK(peer_host_generator(1234, word.data(), n) == 0, "the host generator failed");
    unsigned long different = 0;
    for (unsigned long q = 0; q < n / 4; q++) {
        curandStatePhilox4_32_10_t state;
        curand_init(1234, q % 65536, 4 * (q / 65536), &state);
        uint4 four = curand4(&state);
        different += four.x != word[4 * q] || four.y != word[4 * q + 1] || four.z != word[4 * q + 2] ||
                     four.w != word[4 * q + 3];
    }
    CHECK(different == 0, "%lu of %lu blocks differ", different, n / 4);
}
#endif

int main()
{
    test_known_answers();
#if defined(PEER)
    test_device_functions();
    test_host_generator();
#else
    printf("no CUDA toolkit: not compared with the real cuRAND\n");
#endif
    return check_report();
}

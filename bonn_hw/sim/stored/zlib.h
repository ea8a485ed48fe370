// SPDX-License-Identifier: BSD-3-Clause
// The part of zlib's interface that Verilator's FST writer uses, so that waves need no installed
// library. Data are stored in blocks without compression (RFC 1950, RFC 1951): every reader takes them.
#pragma once
#include <cstdint>
#include <cstring>

using Bytef = unsigned char;
using uLong = unsigned long;
using uLongf = unsigned long;

constexpr int Z_OK = 0;
constexpr int Z_BUF_ERROR = -5;

inline uLong compressBound(uLong size) { return size + 5 * (size / 65535 + 1) + 6; }

inline int compress2(Bytef* out, uLongf* out_size, const Bytef* data, uLong size, int /*level*/) {
  if (*out_size < compressBound(size)) return Z_BUF_ERROR;
  Bytef* at = out;
  *at++ = 0x78;  // deflate, 32 kB window
  *at++ = 0x01;
  uint32_t a = 1, b = 0;  // Adler-32
  for (uLong i = 0; i < size; i++) {
    a = (a + data[i]) % 65521;
    b = (b + a) % 65521;
  }
  do {
    const uLong part = size < 65535 ? size : 65535;
    size -= part;
    *at++ = size == 0;  // last block, stored
    *at++ = part & 255;
    *at++ = part >> 8;
    *at++ = ~part & 255;
    *at++ = (~part >> 8) & 255;
    std::memcpy(at, data, part);
    at += part;
    data += part;
  } while (size);
  for (const uint32_t half : {b, a}) {
    *at++ = half >> 8;
    *at++ = half & 255;
  }
  *out_size = at - out;
  return Z_OK;
}

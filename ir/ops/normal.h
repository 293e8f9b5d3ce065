// The inverse error function in terms of log, sqrt and two polynomials: M. Giles, "Approximating the erfinv function"
// (GPU Computing Gems, 2010), the single precision version. With w = -log((1 - x) * (1 + x)):
//   w < 5: x * central(w - 2.5)      else: x * tail(sqrt(w) - 3)
// Relative error below 4e-7 for |x| < 1. Compiled code uses the same coefficients in f32.
#pragma once

#include <array>
#include <cmath>

namespace nnc {

// Highest power first.
inline constexpr std::array<float, 9> erfinv_central = {2.81022636e-08f,  3.43273939e-07f, -3.5233877e-06f,
                                                        -4.39150654e-06f, 0.00021858087f,  -0.00125372503f,
                                                        -0.00417768164f,  0.246640727f,    1.50140941f};
inline constexpr std::array<float, 9> erfinv_tail = {-0.000200214257f, 0.000100950558f, 0.00134934322f,
                                                     -0.00367342844f,  0.00573950773f,  -0.0076224613f,
                                                     0.00943887047f,   1.00167406f,     2.83297682f};
inline constexpr float erfinv_split = 5.0f;          // on w
inline constexpr float erfinv_central_shift = 2.5f;  // of w
inline constexpr float erfinv_tail_shift = 3.0f;     // of sqrt(w)

inline double erfinv(double x) {
  double w = -std::log((1 - x) * (1 + x));
  bool central = w < erfinv_split;
  double t = central ? w - erfinv_central_shift : std::sqrt(w) - erfinv_tail_shift;
  double sum = 0;
  for (float coefficient : central ? erfinv_central : erfinv_tail) sum = sum * t + coefficient;
  return sum * x;
}

}  // namespace nnc

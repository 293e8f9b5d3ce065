// Kernels in text form that several Loop IR tests share.
#pragma once

#include <string_view>

namespace nnc {

// 12 x 20 = relu(x[12,7] * w + c): tiles of 3 rows and 2 vectors, panels of 8 columns per vector, the last one masked.
inline constexpr std::string_view kProduct = R"(kernel product target=avx2 v=8 items=4 {
  buf x : f32[12,7] in
  buf w : f32[2,7,16] in zero
  buf c : f32[32] in zero valid(d0<20)
  buf h : f32[12,24] out valid(d1<20)
  for n in 0..2 {
    [j<2] q[j] = within 16*n + 8*j step 1 in 0..20 : boolx8
    items r in 0..4 of 4 {
      [i<3 j<2] var a[i,j] = splat 0 : f32x8
      for k in 0..7 unroll 2 {
        [j<2] b[j] = load w[n, k, 8*j] : f32x8
        [i<3] e[i] = load x[3*r + i, k] : f32
        [i<3 j<2] a[i,j] := fma e[i] b[j] a[i,j] !5
      }
      [j<2] d[j] = load c[16*n + 8*j] : f32x8
      [i<3 j<2] {
        f[i,j] = add a[i,j] d[j] : f32x8
        g[i,j] = max f[i,j] 0 : f32x8
        store h[3*r + i, 16*n + 8*j] g[i,j] mask q[j]
      }
    }
  }
}
)";

// Adam over 64 parameters, two items.
inline constexpr std::string_view kAdam = R"(kernel adam target=avx512 v=16 items=2 {
  buf k : f32[2] in
  buf g : f32[64] in
  buf p : f32[64] inout
  buf m : f32[64] inout
  buf v : f32[64] inout
  items r in 0..2 of 2 {
    [j<2] {
      prefetch p[32*r + 16*j]
      prefetch m[32*r + 16*j]
    }
    s1 = load k[0] : f32
    s2 = load k[1] : f32
    [j<2] {
      a[j] = load g[32*r + 16*j] : f32x16
      g0[j] = mul a[j] 0.1 : f32x16
      m0[j] = load m[32*r + 16*j] : f32x16
      m1[j] = fma m0[j] 0.9 g0[j] : f32x16
      store m[32*r + 16*j] m1[j]
      g1[j] = mul a[j] a[j] : f32x16
      g2[j] = mul g1[j] 0.001 : f32x16
      v0[j] = load v[32*r + 16*j] : f32x16
      v1[j] = fma v0[j] 0.999 g2[j] : f32x16
      store v[32*r + 16*j] v1[j]
      h0[j] = mul v1[j] s2 : f32x16
      h1[j] = sqrt h0[j] : f32x16
      h2[j] = add h1[j] 1e-08 : f32x16
      t0[j] = mul m1[j] s1 : f32x16
      t1[j] = div t0[j] h2[j] : f32x16
      p0[j] = load p[32*r + 16*j] : f32x16
      p1[j] = sub p0[j] t1[j] : f32x16
      store p[32*r + 16*j] p1[j] !4,7
    }
  }
}
)";

// Rows of 10 in two vectors of 8: softmax with a fold over the vectors and a tree over the lanes.
inline constexpr std::string_view kSoftmax = R"(kernel softmax target=avx2 v=8 items=5 {
  buf x : f32[5,16] in valid(d1<10)
  buf y : f32[5,16] out valid(d1<10)
  [j<2] q[j] = within 8*j step 1 in 0..10 : boolx8
  items r in 0..5 of 5 {
    [j<2] {
      a[j] = load x[r, 8*j] mask q[j] : f32x8
      b[j] = select q[j] a[j] -inf : f32x8
    }
    mv = fold max over j b[j] : f32x8
    mx = lanes max mv : f32
    [j<2] {
      d[j] = sub b[j] mx : f32x8
      e[j] = exp d[j] : f32x8
    }
    sv = fold sum over j e[j] : f32x8
    s = lanes sum sv : f32
    [j<2] {
      p[j] = div e[j] s : f32x8
      store y[r, 8*j] p[j] mask q[j]
    }
  }
}
)";

// Rows of a table chosen by numbers, one column gathered, in one outer and one inner item variable.
inline constexpr std::string_view kGather = R"(kernel gather target=sse2 v=4 items=6 {
  buf table : f32[9,8] in
  buf ids : i32[6] in
  buf rows : f32[6,8] out
  buf column : f32[8] out valid(d0<6)
  items s in 0..2 r in 0..3 of 3 {
    id = load ids[3*s + r] : i32
    [j<2] {
      t[j] = load table[@id, 4*j] : f32x4
      store rows[3*s + r, 4*j] t[j]
    }
  }
  items s in 0..2 z in 0..1 of 3 {
    q = within 4*s step 1 in 0..6 : boolx4
    many = load ids[4*s] mask q : i32x4
    c = load table[@many, 3] step 0 mask q : f32x4
    store column[4*s] c mask q
  }
}
)";

// A square of four rows transposed, and its columns multiplied in pairs of bf16.
// A block of a product in tiles, parked, then read row by row.
inline constexpr std::string_view kTiles = R"(kernel tiled target=amx v=16 items=2 {
  buf parked : f32[20,48] inout
  buf x : bf16[40,64] in zero valid(d1<50)
  buf w : i32[2,32,48] in
  buf h : f32[40,96] out
  items r in 0..2 of 2 {
    for n in 0..2 {
      tiles parked[0, 0] x[20*r, 0] w[n, 0, 0] rows 20 columns 32 pairs 32 !4
      tiles parked[0, 32] x[20*r, 0] w[n, 0, 32] rows 20 columns 16 pairs 32
      for i in 0..20 {
        [j<3] {
          a[j] = load parked[i, 16*j] : f32x16
          b[j] = max a[j] 0 : f32x16
          store h[20*r + i, 48*n + 16*j] b[j]
        }
      }
    }
  }
}
)";

inline constexpr std::string_view kPairs = R"(kernel pairs target=sse2 v=4 items=1 {
  buf x : f32[4,4] in
  buf h : f32[2,4] out
  items r in 0..1 of 1 {
    [e<4] a[e] = load x[e, 0] : f32x4
    [t<2] {
      b[t] = column 2*t over e a[e] : f32x4
      c[t] = column 2*t + 1 over e a[e] : f32x4
      d[t] = cast b[t] : bf16x4
      f[t] = cast c[t] : bf16x4
      p[t] = pair d[t] f[t] : i32x4
      s[t] = dot2 p[t] p[t] b[t] : f32x4
      store h[t, 0] s[t]
    }
  }
}
)";

// Every other op once, scalars of every dtype.
inline constexpr std::string_view kOps = R"(kernel ops target=sse2 v=4 items=1 {
  buf steps : i64[2] inout
  buf scale : f32[2] out
  buf half : bf16[4] inout
  buf flags : bool[4] inout
  buf noise : f32[3,4] out
  buf draws : i32[4] out
  items r in 0..1 of 1 {
    t = load steps[0] : i64
    seed = load steps[1] : i64
    t1 = add t 1 : i64
    store steps[0] t1
    tf = cast t1 : f64
    q = pow 0.9 tf : f64
    n = sub 1 q : f64
    r1 = div 0.001 n : f64
    s1 = cast r1 : f32
    store scale[0] s1
    late = compare ge t1 5 : bool
    pick = select late 1 -0.5 : f32
    store scale[1] pick
    h = load half[0] : bf16x4
    hf = cast h : f32x4
    hs = mul hf 1.0009765625 : f32x4
    hb = cast hs : bf16x4
    store half[0] hb
    f = load flags[0] : boolx4
    g = logical_not f : boolx4
    o = logical_or g late : boolx4
    z = logical_and o g : boolx4
    store flags[0] z
    e = index 64*r + 3 step 1 : i32x4
    bits = philox e seed t site 99 : i32x4
    u = uniform bits : f32x4
    w = normal bits : f32x4
    i = integer bits below 10 : i32x4
    store noise[0, 0] u
    store noise[1, 0] w
    sg = sign w : f32x4
    rd = round sg : f32x4
    store noise[2, 0] rd
    store draws[0] i
  }
}
)";

// A product whose steps are left out where three scalars are all zero, and one whose only scalar is.
inline constexpr std::string_view kSkips = R"(kernel skips target=sse2 v=4 items=2 {
  buf x : f32[6,5] in
  buf w : f32[5,4] in
  buf h : f32[6,4] out
  buf s : f32[2,4] out
  items r in 0..2 of 2 {
    [i<3] var a[i] = splat 0 : f32x4
    var c = splat 0 : f32x4
    for k in 0..5 unroll 2 {
      [i<3] e[i] = load x[3*r + i, k] : f32
      q = any over i e[i] : bool
      when q { !7
        b = load w[k, 0] : f32x4
        [i<3] a[i] := fma e[i] b a[i]
      }
      f = load x[3*r, k] : f32
      p = compare ne f 0 : bool
      when p {
        d = load w[k, 0] : f32x4
        c := fma f d c
        when q {
          c := add c 1
        }
      }
    }
    [i<3] store h[3*r + i, 0] a[i]
    store s[r, 0] c
  }
}
)";

// A product with the update of what the one before left parked between its steps.
inline constexpr std::string_view kWoven = R"(kernel woven target=avx512 v=16 items=2 {
  buf x : f32[6,8] in
  buf w : f32[6,32] in
  buf parked : f32[2,32] inout
  buf m : f32[2,32] inout
  buf h : f32[8,32] out
  items r in 0..2 of 2 {
    [i<4 j<2] var a[i,j] = splat 0 : f32x16
    for p in 0..2 {
      weave {
        for k in 0..3 unroll 3 {
          [j<2] b[j] = load w[3*p + k, 16*j] : f32x16
          [i<4] e[i] = load x[3*p + k, 4*r + i] : f32
          [i<4 j<2] a[i,j] := fma e[i] b[j] a[i,j]
        }
        g = load parked[p, 16*r] : f32x16 !7
        n = load m[p, 16*r] : f32x16
        q = mul g 0.5 : f32x16
        s = sqrt q : f32x16
        t = fma 0.9 n s : f32x16
        store m[p, 16*r] t
      }
    }
    [i<4 j<2] store h[4*r + i, 16*j] a[i,j]
  }
}
)";

}  // namespace nnc

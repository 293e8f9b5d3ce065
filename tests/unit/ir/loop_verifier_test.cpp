// Kernels broken by hand: each is refused with the rule and the name.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>

#include "ir/loop/text.h"
#include "loop_samples.h"

namespace nnc {
namespace {

std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string result{text};
  const size_t at = result.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  if (at != std::string::npos) result.replace(at, what.size(), with);
  return result;
}

std::string all(const std::vector<std::string>& errors) {
  std::string text;
  for (const std::string& error : errors) text += error + "\n";
  return text;
}

struct Broken {
  const char* name;
  std::string_view kernel;
  std::string_view what, with;
  std::string_view error;  // one of the verifier's lines
};

void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.name; }

class BrokenText : public testing::TestWithParam<Broken> {};

TEST_P(BrokenText, is_refused) {
  const Broken& broken = GetParam();
  Kernel kernel;
  const std::string text = replaced(broken.kernel, broken.what, broken.with);
  ASSERT_EQ(parse_kernel(text, kernel), "");
  const std::vector<std::string> errors = verify(kernel);
  EXPECT_NE(std::find(errors.begin(), errors.end(), broken.error), errors.end()) << "got:\n" << all(errors);
}

INSTANTIATE_TEST_SUITE_P(
    LoopVerifier, BrokenText,
    testing::Values(
        Broken{"mask_removed", kProduct, " mask q[j]", "", "h: L2: index 1 of h reaches 31 of 24"},
        Broken{"mask_too_wide", kProduct, "in 0..20", "in 0..25", "h: L2: index 1 of h reaches 24 of 24"},
        Broken{"mask_of_another_place", kProduct, "within 16*n + 8*j", "within 16*n",
               "h: L2: index 1 of h reaches 27 of 24"},
        Broken{"row_out_of_bounds", kProduct, "load x[3*r + i, k]", "load x[3*r + i + 1, k]",
               "e: L2: index 0 of x reaches 12 of 12"},
        Broken{"negative_row", kProduct, "load x[3*r + i, k]", "load x[3*r + i - 1, k]",
               "e: L2: index 0 of x reaches -1 of 12"},
        Broken{"vector_over_the_end", kProduct, "load w[n, k, 8*j]", "load w[n, k, 8*j + 1]",
               "b: L2: index 2 of w reaches 16 of 16"},
        Broken{"reads_padding", kProduct, "c : f32[32] in zero valid", "c : f32[32] in valid",
               "d: L3: index 0 of c reads 31, valid are 20"},
        Broken{"reads_padding_unmasked", kSoftmax, "load x[r, 8*j] mask q[j]", "load x[r, 8*j]",
               "a: L3: index 1 of x reads 15, valid are 10"},
        Broken{"stores_to_input", kProduct, "h : f32[12,24] out", "h : f32[12,24] in", "h: L5: stored to, but `in`"},
        Broken{"loads_from_output", kAdam, "v : f32[64] inout", "v : f32[64] out",
               "v0: L5: loads from v, which is `out`"},
        Broken{"loads_after_store", kAdam, "g1[j] = mul a[j] a[j] : f32x16", "g1[j] = load m[32*r + 16*j] : f32x16",
               "g1: L5: loads from m what was just stored there"},
        Broken{"assigns_no_var", kProduct, "var a[i,j]", "a[i,j]", "a: L4: assigned, but not a var"},
        Broken{"family_unbound", kProduct, "[i<3] e[i]", "[i<3 j<2] e[i]",
               "e: L4: its family is not the unrolled indices around its definition: i j"},
        Broken{"folded_index_bound", kSoftmax, "mv = fold max over j b[j] : f32x8",
               "[j<2] { mj[j] = fold max over j b[j] : f32x8 } mv = fold max over j b[j] : f32x8",
               "mj: L4: a fold over j, which is bound here"},
        Broken{"fold_over_stranger", kSoftmax, "mv = fold max over j b[j] : f32x8",
               "[k<1] { } mv = fold max over k b[j] : f32x8", "mv: L4: b is not folded over k: it has no such index"},
        Broken{"family_used_outside", kSoftmax, "mx = lanes max mv : f32", "mx = lanes max b[j] : f32",
               "mx: L4: b is used where j is not bound"},
        Broken{"when_of_a_number", kSkips, "when p {", "when f {", "f: L0: the condition of a when is a scalar bool"},
        Broken{"when_of_a_mask", kSkips, "when p {", "m = compare ne c 0 : boolx4 ; when m {",
               "m: L0: the condition of a when is a scalar bool"},
        Broken{"made_inside_used_outside", kSkips, "[i<3] store h[3*r + i, 0] a[i]", "store h[3*r, 0] b",
               "h: L4: b is used outside of its block"},
        Broken{"any_gives_bool", kSkips, "any over i e[i] : bool", "any over i e[i] : i32",
               "q: L0: any gives bool, not i32"},
        Broken{"any_over_a_loop", kSkips, "any over i e[i] : bool", "any over k e[i] : bool",
               "q: L7: any over k, which is not unrolled"},
        Broken{"any_of_vectors", kSkips, "any over i e[i] : bool", "any over i a[i] : bool",
               "q: L0: any takes scalars and gives one"},
        Broken{"woven_without_a_loop", kWoven, "for p in 0..2 {\n      weave {", "weave {\n      for p in 0..2 {",
               "weave: L9: the loop over p is not written out"},
        Broken{"woven_with_a_turning_loop", kWoven, "unroll 3", "unroll 2",
               "weave: L9: the loop over k is not written out"},
        Broken{"woven_with_a_value_first", kWoven, "weave {", "weave { z = load w[0, 0] : f32",
               "weave: L9: its first statement is not a loop"},
        Broken{"woven_with_a_branch", kWoven, "store m[p, 16*r] t",
               "store m[p, 16*r] t for z in 0..2 { store m[p, 0] t }",
               "weave: L9: a loop or a branch among what is woven"},
        Broken{"woven_around_one_memory", kWoven, "[j<2] b[j] = load w[3*p + k, 16*j]", "[j<2] b[j] = load m[p, 16*j]",
               "weave: L9: one side touches what the other writes"},
        Broken{"woven_around_one_sum", kWoven, "store m[p, 16*r] t",
               "store m[p, 16*r] t [i<4 j<2] a[i,j] := add t a[i,j]",
               "weave: L9: one side touches what the other writes"},
        Broken{"column_beyond_the_lanes", kPairs, "column 2*t + 1 over", "column 2*t + 2 over",
               "c: L7: a column beyond the lanes"},
        Broken{"column_over_too_few", kPairs, "[e<4] a[e]", "[e<3] a[e]",
               "b: L7: a column over e, which does not number the lanes"},
        Broken{"pair_of_floats", kPairs, "pair d[t] f[t]", "pair b[t] f[t]", "p: L0: operand b is f32, not bf16"},
        Broken{"dot_of_halves", kPairs, "dot2 p[t] p[t]", "dot2 p[t] d[t]", "s: L0: operand d is bf16, not i32"},
        Broken{"tiles_elsewhere", kTiles, "target=amx", "target=avx512", "parked: L0: avx512 has no tiles"},
        Broken{"tiles_too_tall", kTiles, "rows 20 columns 32", "rows 33 columns 32",
               "parked: L0: tiles of 33 rows, 32 columns, 32 pairs"},
        Broken{"tiles_too_wide", kTiles, "rows 20 columns 32", "rows 20 columns 48",
               "parked: L0: tiles of 20 rows, 48 columns, 32 pairs"},
        Broken{"tiles_of_a_part", kTiles, "columns 32 pairs 32", "columns 32 pairs 24",
               "parked: L0: tiles of 20 rows, 32 columns, 24 pairs"},
        Broken{"tiles_of_floats", kTiles, "tiles parked[0, 0] x[20*r, 0]", "tiles parked[0, 0] h[20*r, 0]",
               "parked: L0: h holds f32, not bf16"},
        Broken{"tiles_into_pairs", kTiles, "w : i32[2,32,48] in", "w : f32[2,32,48] in",
               "parked: L0: w holds f32, not i32"},
        Broken{"tiles_of_a_column", kTiles, "x : bf16[40,64] in zero valid(d1<50)", "x : bf16[64] in",
               "parked: L0: 2 indices into 1 axes"},
        Broken{"tiles_past_the_rows", kTiles, "x[20*r, 0] w[n, 0, 0]", "x[20*r + 1, 0] w[n, 0, 0]",
               "parked: L2: index 0 of x reaches 40 of 40"},
        Broken{"tiles_past_the_pairs", kTiles, "w[n, 0, 0]", "w[n, 1, 0]", "parked: L2: index 1 of w reaches 32 of 32"},
        Broken{"tiles_past_the_columns", kTiles, "w[n, 0, 32]", "w[n, 0, 33]",
               "parked: L2: index 2 of w reaches 48 of 48"},
        Broken{"tiles_past_what_is_parked", kTiles, "tiles parked[0, 32]", "tiles parked[1, 32]",
               "parked: L2: index 0 of parked reaches 20 of 20"},
        Broken{"tiles_of_padding", kTiles, "in zero valid(d1<50)", "in valid(d1<50)",
               "parked: L3: index 1 of x reads 63, valid are 50"},
        Broken{"tiles_into_input", kTiles, "parked : f32[20,48] inout", "parked : f32[20,48] in",
               "parked: L5: tiles into the `in` parked"},
        Broken{"tiles_of_output", kTiles, "w : i32[2,32,48] in", "w : i32[2,32,48] out",
               "parked: L5: tiles of the `out` w"},
        Broken{"tiles_over_themselves", kTiles, "tiles parked[0, 0] x[20*r, 0] w", "tiles x[0, 0] x[20*r, 0] w",
               "x: L5: tiles over their own factors"},
        Broken{"tiles_of_the_unbound", kTiles, "tiles parked[0, 0] x[20*r, 0] w[n,",
               "for k in 0..1 { } tiles parked[0, 0] x[20*r, 0] w[k,", "parked: L1: k is not bound here"},
        Broken{"loads_tiles_at_once", kTiles, "for i in 0..20 {", "z = load parked[0, 0] : f32 for i in 0..20 {",
               "z: L5: loads from parked what was just stored there"},
        Broken{"argmax", kSoftmax, "lanes max", "lanes argmax", "mx: L7: argmax has no order of addition"},
        Broken{"operand_types_differ", kOps, "n = sub 1 q : f64", "n = sub t1 q : f64",
               "n: L0: operand t1 is i64, not f64"},
        Broken{"scalar_of_vector", kSoftmax, "mx = lanes max mv : f32", "mx = exp mv : f32",
               "mx: L0: a scalar of the vector mv"},
        Broken{"lanes_of_scalar", kSoftmax, "s = lanes sum sv : f32", "s = lanes sum mx : f32",
               "s: L0: lanes take a vector"},
        Broken{"compare_gives_bool", kOps, "compare ge t1 5 : bool", "compare ge t1 5 : i32",
               "late: L0: compare gives bool, not i32"},
        Broken{"fraction_as_integer", kOps, "add t 1 : i64", "add t 1.5 : i64", "t1: L0: 1.5 is no i64"},
        Broken{"arithmetic_in_bf16", kOps, "hf = cast h : f32x4", "hz = add h h : bf16x4 ; hf = cast h : f32x4",
               "hz: L0: add of bf16"},
        Broken{"load_of_other_type", kOps, "t = load steps[0] : i64", "t = load steps[0] : f64",
               "t: L0: loads f64 from steps, which holds i64"},
        Broken{"store_of_other_type", kOps, "store scale[0] s1", "store scale[0] r1",
               "scale: L0: operand r1 is f64, not f32"},
        Broken{"gather_by_float", kGather, "id = load ids[3*s + r] : i32", "id = load table[0, 0] : f32",
               "t: L0: the index id is f32"},
        Broken{"wrong_rank", kGather, "load table[@id, 4*j]", "load table[@id]", "t: L0: 1 indices into 2 axes"},
        Broken{"vector_mask_of_scalar", kGather, "store column[4*s] c mask q",
               "store column[4*s] c mask q z = load ids[0] mask q : i32", "z: L0: a vector mask q of a scalar"},
        Broken{"too_many_items", kGather, "items=6", "items=5", "r: L1: 2 x 3 items in a grid of 5"},
        Broken{"items_beyond_inner", kGather, "r in 0..3 of 3", "r in 0..3 of 2", "r: L1: 0..3 of 2 items"},
        Broken{"no_items", kSoftmax, "items r in 0..5 of 5", "for r in 0..5", "softmax: L1: no items"},
        Broken{"nested_items", kProduct, "for k in 0..7 unroll 2", "items k in 0..4 of 4",
               "k: L1: items inside of items"},
        Broken{"unrolled_never", kProduct, "unroll 2", "unroll 0", "k: L1: unrolled 0 times"},
        Broken{"descending_range", kProduct, "for k in 0..7 unroll 2", "for k in 7..0", "k: L0: range 7..0"},
        Broken{"huge_extent", kProduct, "x : f32[12,7] in", "x : f32[12,9000000000000] in",
               "x: L0: extent 9000000000000"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(LoopVerifier, masks_prove_what_they_cover) {
  const auto errors_of = [](std::string_view body) {
    Kernel kernel;
    EXPECT_EQ(
        parse_kernel(
            "kernel k target=sse2 v=4 items=2 {\nbuf x : f32[10] in\nbuf y : f32[10] out\nitems r in 0..2 of 2 {\n" +
                std::string(body) + "} }",
            kernel),
        "");
    return all(verify(kernel));
  };
  EXPECT_EQ(errors_of("q = within 8*r step 1 in 0..10 : boolx4  a = load x[8*r] mask q : f32x4 store y[8*r] a mask q"),
            "");
  // Shifted by a constant: the lanes that are on are the mask's, shifted.
  EXPECT_EQ(errors_of("q = within 8*r step 1 in 1..10 : boolx4  a = load x[8*r - 1] mask q : f32x4"), "");
  EXPECT_EQ(errors_of("q = within 8*r step 1 in 0..10 : boolx4  a = load x[8*r - 1] mask q : f32x4"),
            "a: L2: index 0 of x reaches -1 of 10\n");
  // Descending lanes, a scalar under a scalar mask, a mask of two conditions, a mask that is never on.
  EXPECT_EQ(errors_of("q = within 8*r step 1 in 0..10 : boolx4  a = load x[9 - 8*r] step -1 mask q : f32x4"), "");
  EXPECT_EQ(errors_of("q = within 8*r + 3 step 1 in 0..10 : bool  a = load x[8*r + 3] mask q : f32"), "");
  EXPECT_EQ(errors_of("p = within 8*r - 2 step 1 in 0..100 : boolx4  o = within 8*r step 1 in -9..12 : boolx4  q = "
                      "logical_and p o : boolx4\n"
                      "a = load x[8*r - 2] mask q : f32x4"),
            "");
  EXPECT_EQ(errors_of("q = within 8*r step 1 in 50..60 : boolx4  a = load x[8*r] mask q : f32x4"), "");
  // A mask that says nothing of the index.
  EXPECT_EQ(errors_of("b = load x[0] : f32x4  q = compare gt b 0 : boolx4  a = load x[8*r] mask q : f32x4"),
            "a: L2: index 0 of x reaches 11 of 10\n");
}

// What no text can say: tables changed by hand.
TEST(LoopVerifier, broken_tables) {
  const auto broken_by = [](auto change) {
    Kernel kernel;
    EXPECT_EQ(parse_kernel(kSoftmax, kernel), "");
    change(kernel);
    return all(verify(kernel));
  };
  EXPECT_EQ(broken_by([](Kernel& k) { k.body[1].body[1].value = ValueId(size_t{99}); }),
            "statement: L0: an unknown value\n");
  EXPECT_EQ(broken_by([](Kernel& k) { k.body[1].body[1].operands.clear(); }), "mv: L0: fold takes 1 operands\n");
  EXPECT_EQ(broken_by([](Kernel& k) { k.body[1].body[1].over = VarId(); }),
            "mv: L0: a fold over an unknown variable\n");
  EXPECT_EQ(broken_by([](Kernel& k) { k.body[0].body[0].affine.terms[0].second = 0; }), "q: L0: coefficient 0\n");
  EXPECT_EQ(broken_by([](Kernel& k) { k.body[1].body[0].body[0].access.buffer = BufferId(size_t{2}); }),
            "a: L0: an unknown buffer\n");
  EXPECT_EQ(broken_by([](Kernel& k) {
              k.body[1].body[2].value = k.body[1].body[1].value;
            }).find("mv: L4: defined twice") == std::string::npos,
            false);
  EXPECT_NE(broken_by([](Kernel& k) {
              std::swap(k.body[1].body[1], k.body[1].body[2]);
            }).find("mx: L4: mv is used before it is defined"),
            std::string::npos);
  EXPECT_NE(broken_by([](Kernel& k) {
              k.body.push_back(k.body[1].body[2]);
              k.body.back().value = ValueId(k.values.size());
              k.values.emplace_back().name = "late";
            }).find("late: L4: mv is used outside of its block"),
            std::string::npos);
}

LoopModule softmax_module() {
  LoopModule module;
  module.name = "m";
  module.target = target_avx2();
  module.kernels.emplace_back();
  EXPECT_EQ(parse_kernel(kSoftmax, module.kernels[0]), "");
  module.arena_bytes = 1024;
  module.entries.push_back(
      {"step", 5, {}, {{{{KernelId(size_t{0}), {{BufferBinding::arena, 0}, {BufferBinding::arena, 320}}, {}}}}}});
  return module;
}

TEST(LoopVerifier, modules) {
  EXPECT_EQ(all(verify(softmax_module())), "");
  const auto broken_by = [](auto change) {
    LoopModule module = softmax_module();
    change(module, module.entries[0].phases[0].calls[0]);
    return all(verify(module));
  };
  EXPECT_EQ(broken_by([](LoopModule& m, KernelCall&) { m.arena_bytes = 600; }),
            "y in softmax: L2: 320 bytes at 320 of a segment of 600\n");
  EXPECT_EQ(broken_by([](LoopModule&, KernelCall& c) { c.buffers[1].offset = 321; }),
            "y in softmax: L2: bound to byte 321, no multiple of 64\n");
  EXPECT_EQ(broken_by([](LoopModule&, KernelCall& c) { c.buffers[1].offset = 256; }), "x in softmax: L6: overlaps y\n");
  EXPECT_EQ(broken_by([](LoopModule&, KernelCall& c) { c.buffers.pop_back(); }), "softmax: L0: 1 buffers bound of 2\n");
  EXPECT_EQ(broken_by([](LoopModule&, KernelCall& c) { c.kernel = KernelId(size_t{4}); }),
            "step: L0: a call of kernel 4 of 1\n");
  EXPECT_EQ(broken_by([](LoopModule&, KernelCall& c) { c.buffers[0] = {BufferBinding::io, 0}; }),
            "x in softmax: L0: bound to io tensor 0 of 0\n");
  EXPECT_EQ(broken_by([](LoopModule& m, KernelCall& c) {
              m.entries[0].io.push_back({Root::output, true, false, "x", {DType::f32, 0, {5, 16}}});
              c.buffers[1] = {BufferBinding::io, 0};
            }),
            "y in softmax: L5: writes \"x\", which the caller passes in\n");
  EXPECT_EQ(broken_by([](LoopModule& m, KernelCall&) {
              LoopStmt store = m.kernels[0].body[1].body.back().body[1];
              store.access.indices[0].affine = Affine::of(0);
              store.access.indices[1].affine = Affine::of(0);
              store.access.mask = {};
              store.operands = {{ValueId(), 1.0}};
              m.kernels[0].body.insert(m.kernels[0].body.begin(), store);
            }),
            "y in softmax: L8: every thread stores it: the store is outside of items\n");
}

}  // namespace
}  // namespace nnc

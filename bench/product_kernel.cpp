// How near a register-tiled product written in Loop IR comes to the machine's peak of fused multiply-adds.
//
// h[126,512] = x[126,784] * w, w in panels [n, k, 64]: tiles of 6 rows by four vectors, 24 accumulators. The peak is
// measured in the same run, by the same compiler: 24 independent chains of fma without any load.
//
//   bench_product_kernel [--assembly]      prints a line per target, and the assembly for the best one
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/codegen.h"
#include "ir/loop/text.h"

namespace nnc {
namespace {

constexpr int64_t m = 126, n = 512, k = 784;
constexpr int64_t probe_turns = 100'000;

struct Tile {
  int64_t rows, vectors;
};

// Fills the register file: accumulators, one panel's vectors and a broadcast.
Tile tile_of(const Target& target) { return target.registers >= 32 ? Tile{6, 4} : Tile{6, 2}; }

std::string product_text(const Target& target, const Tile& tile) {
  const int64_t width = tile.vectors * target.lanes;
  return fmt::format(R"(kernel product target={name} v={v} items={tiles} {{
  buf x : f32[{m},{k}] in
  buf w : f32[{panels},{k},{width}] in
  buf h : f32[{m},{pitch}] out valid(d1<{n})
  for n in 0..{panels} {{
    items r in 0..{tiles} of {tiles} {{
      [i<{rows} j<{vectors}] var a[i,j] = splat 0 : f32x{v}
      for k in 0..{k} unroll 4 {{
        [j<{vectors}] b[j] = load w[n, k, {v}*j] : f32x{v}
        [i<{rows}] e[i] = load x[{rows}*r + i, k] : f32
        [i<{rows} j<{vectors}] a[i,j] := fma e[i] b[j] a[i,j]
      }}
      [i<{rows} j<{vectors}] store h[{rows}*r + i, {width}*n + {v}*j] a[i,j]
    }}
  }}
}}
)",
                     fmt::arg("name", target.name), fmt::arg("v", target.lanes), fmt::arg("m", m), fmt::arg("k", k),
                     fmt::arg("n", n), fmt::arg("panels", n / width), fmt::arg("width", width),
                     fmt::arg("pitch", n + 16), fmt::arg("tiles", m / tile.rows), fmt::arg("rows", tile.rows),
                     fmt::arg("vectors", tile.vectors));
}

// As many chains as the product has accumulators: their latency is covered, and nothing else competes.
std::string probe_text(const Target& target, const Tile& tile) {
  return fmt::format(R"(kernel probe target={name} v={v} items=1 {{
  buf x : f32[{v}] in
  buf h : f32[{chains},{v}] out
  y = load x[0] : f32x{v}
  [i<{chains}] var a[i] = splat 0 : f32x{v}
  for t in 0..{turns} {{
    [i<{chains}] a[i] := fma y y a[i]
  }}
  [i<{chains}] store h[i, 0] a[i]
}}
)",
                     fmt::arg("name", target.name), fmt::arg("v", target.lanes), fmt::arg("turns", probe_turns),
                     fmt::arg("chains", tile.rows * tile.vectors));
}

LoopModule module_of(const std::vector<std::string>& kernels, const Target& target) {
  LoopModule module;
  module.name = "bench";
  module.target = target;
  for (const std::string& text : kernels) {
    Kernel kernel;
    if (const std::string wrong = parse_kernel(text, kernel); !wrong.empty()) {
      fmt::print(stderr, "{}\n{}", wrong, text);
      std::exit(1);
    }
    LoopEntry entry;
    entry.name = kernel.name;
    KernelCall call;
    call.kernel = KernelId(module.kernels.size());
    for (const LoopBuffer& buffer : kernel.buffers) {
      call.buffers.push_back({BufferBinding::arena, module.arena_bytes});
      int64_t bytes = size_of(buffer.dtype);
      for (int64_t extent : buffer.dims) bytes *= extent;
      module.arena_bytes += (bytes + 4095) / 4096 * 4096;
    }
    entry.phases = {{{call}}};
    module.kernels.push_back(std::move(kernel));
    module.entries.push_back(std::move(entry));
  }
  return module;
}

double best_seconds(nnc_entry call, void* arena, int repeats) {
  const nnc_context context{nullptr, arena, nullptr, nullptr, 0, 1, nullptr, nullptr};
  double best = 1e9;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    call(&context);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

void measure(const Target& target, bool assembly) {
  const Tile tile = tile_of(target);
  const LoopModule module = module_of({product_text(target, tile), probe_text(target, tile)}, target);
  CompileTimings timings;
  auto executable = compile(module, &timings);
  if (!executable) {
    fmt::print(stderr, "{}\n", executable.error());
    std::exit(1);
  }
  void* arena = std::aligned_alloc(4096, static_cast<size_t>(module.arena_bytes));
  std::fill_n(static_cast<float*>(arena), module.arena_bytes / 4, 0.5f);
  double probe = 1e9, product = 1e9;
  for (int turn = 0; turn < 10; ++turn) {  // in turn, so that a change of clock touches both
    product = std::min(product, best_seconds(executable->entries[0].call, arena, 20));
    probe = std::min(probe, best_seconds(executable->entries[1].call, arena, 2));
  }
  std::free(arena);
  const double rate = 2.0 * static_cast<double>(m * n * k) / product * 1e-9;
  const double peak = 2.0 * static_cast<double>(probe_turns * tile.rows * tile.vectors * target.lanes) / probe * 1e-9;
  fmt::print(
      "{:7} {}x{} tile: {:7.1f} us, {:6.1f} GFLOP/s, peak {:6.1f}: {:5.1f} %; compiled in {:.1f} + {:.1f} + {:.1f} "
      "ms\n",
      target.name, tile.rows, tile.vectors * target.lanes, product * 1e6, rate, peak, 100 * rate / peak,
      timings.emit_ms, timings.optimise_ms, timings.link_ms);
  if (assembly) fmt::print("{}", emit_assembly(module));
}

}  // namespace
}  // namespace nnc

int main(int argc, char** argv) {
  const bool assembly = argc > 1 && std::string_view(argv[1]) == "--assembly";
  const std::vector<nnc::Target> targets = nnc::detect_host().targets;
  for (size_t index = 0; index < targets.size(); ++index) nnc::measure(targets[index], assembly && index == 0);
  return 0;
}

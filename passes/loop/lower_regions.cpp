#include "passes/loop/lower_regions.h"

#include <algorithm>
#include <map>
#include <set>

#include "ir/check.h"
#include "ir/loop/text.h"
#include "ir/ops/op.h"
#include "passes/loop/region_lowering.h"
#include "passes/plan/pack_operands.h"

namespace nnc {
namespace {

std::string symbol_of(const std::string& text) {
  std::string symbol;
  for (char c : text) symbol += isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return symbol;
}

LoopEntry::Io io_of(const Plan& plan, const Storage& storage, size_t root) {
  LoopEntry::Io io;
  io.name = storage.name;
  io.type = storage.type;
  const Node& node = plan.graph[storage.value];
  io.read = node.op == Op::input && root == SIZE_MAX;
  if (io.read) io.is_target = node.as<InputAttr>().is_target;
  if (root != SIZE_MAX) io.kind = plan.graph.roots[root].kind;
  return io;
}

}  // namespace

RegionLowering::RegionLowering(const Plan& plan, const Region& region, const std::vector<Role>& roles,
                               LayoutNeeds& needs)
    : plan_(plan),
      graph_(plan.graph),
      region_(region),
      roles_(roles),
      needs_(needs),
      members_(plan.graph.nodes.size(), false),
      writer_(plan.target) {
  for (NodeId member : region.members) members_[member.value] = true;
  for (NodeId member : region.members) {
    const Node& node = graph_[member];
    const int64_t rank = node.op == Op::reduce ? graph_.type(node.operands[0]).rank() : node.type.rank();
    std::vector<NodeId>& reads = reads_[member];
    follow_operands(graph_, roles_, member, symbolic_point(rank), [&](NodeId read, const Indices&) {
      if (members_[read.value]) reads.push_back(read);
    });
  }
}

std::vector<LoweredKernel> RegionLowering::run() {
  switch (region_.kind) {
    case Region::map:
      lower_map();
      break;
    case Region::contract:
      if (multiplies_tiles(graph_, roles_, region_)) {
        lower_tiles();
      } else if (region_.tiling.blocks > 1) {
        lower_blocked();
      } else {
        region_.tiling.deferred ? lower_deferred() : lower_contract();
      }
      break;
    case Region::pack:
      lower_pack();
      break;
    case Region::reduce:
      lower_reduce();
      break;
    case Region::cumsum:
      lower_cumsum();
      break;
    case Region::scatter:
      return lower_scatter();
  }
  return {finish()};
}

LoweredKernel RegionLowering::finish(const std::string& suffix) {
  LoweredKernel lowered;
  lowered.kernel = writer_.finish();
  lowered.kernel.name = symbol_of(plan_.graph.name + "_" + region_.name + suffix);
  lowered.kernel.items = region_.grid.items();
  for (size_t b = 0; b < used_.size(); ++b) {
    const auto [loaded, stored] = used_[b];
    lowered.kernel.buffers[b].mode = loaded && stored ? LoopBuffer::inout : stored ? LoopBuffer::out : LoopBuffer::in;
  }
  lowered.bindings = bindings_;
  lowered.scratch_bytes = scratch_bytes_;
  return lowered;
}

void RegionLowering::restart() {
  writer_ = KernelWriter(plan_.target);
  vectors_var_ = {};
  buffers_.clear();
  bindings_.clear();
  used_.clear();
  scratch_bytes_ = 0;
}

double count_flops(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  const OpKind kind = definition(node.op).kind;
  if (node.op == Op::contract) {
    double products = 1;
    for (int64_t extent : node.as<ContractAttr>().map.extents) products *= static_cast<double>(extent);
    return 2 * products;
  }
  if (kind == OpKind::map && is_float(node.type.dtype))
    return static_cast<double>(node.type.elements()) * (node.op == Op::fma ? 2 : 1);
  return kind == OpKind::reduce ? static_cast<double>(graph.type(node.operands[0]).elements()) : 0;
}

double count_flops(const Graph& graph) {
  double flops = 0;
  for (size_t index = 0; index < graph.nodes.size(); ++index) flops += count_flops(graph, NodeId(index));
  return flops;
}

void lower_regions(const Plan& plan, const std::vector<Role>& roles, LoopModule& module, KernelTable& kernels,
                   LayoutNeeds& needs) {
  LoopEntry entry;
  entry.name = plan.graph.name;
  entry.batch = plan.graph.batch;
  entry.flops = count_flops(plan.graph);
  const size_t inputs = plan.io.size() - plan.graph.roots.size();
  for (size_t k = 0; k < plan.io.size(); ++k)
    entry.io.push_back(io_of(plan, plan[plan.io[k]], k < inputs ? SIZE_MAX : k - inputs));
  for (const Phase& phase : plan.phases) {
    LoopPhase calls;
    for (RegionId id : phase.regions) {
      double flops = 0;
      for (NodeId node : plan[id].members) flops += count_flops(plan.graph, node);
      for (LoweredKernel& lowered : RegionLowering(plan, plan[id], roles, needs).run()) {
        if (!needs.empty()) continue;
        module.scratch_bytes = std::max(module.scratch_bytes, lowered.scratch_bytes);
        std::string name = std::exchange(lowered.kernel.name, "k");
        const auto [at, is_new] = kernels.by_text.emplace(print(lowered.kernel), KernelId(module.kernels.size()));
        if (is_new) {
          // Another region may itself be called "name_1".
          std::string unique = name;
          for (int repeat = 1; !kernels.names.insert(unique).second; ++repeat)
            unique = name + "_" + std::to_string(repeat);
          lowered.kernel.name = std::move(unique);
          module.kernels.push_back(std::move(lowered.kernel));
        }
        calls.calls.push_back({at->second, std::move(lowered.bindings), plan[id].locations, flops});
        flops = 0;  // of a region in several kernels, the first does the work
      }
    }
    entry.phases.push_back(std::move(calls));
  }
  module.entries.push_back(std::move(entry));
  module.arena_bytes = std::max(module.arena_bytes, plan.arena_bytes);
}

}  // namespace nnc

// The value of a node at a point: computed, or loaded from where it lies.
#include <algorithm>

#include "ir/check.h"
#include "ir/ops/op.h"
#include "passes/loop/region_lowering.h"

namespace nnc {
namespace {

LoopStmt compare_patch(const Node& node) {
  LoopStmt patch;
  if (node.op == Op::compare) patch.comparison = node.as<CompareAttr>().comparison;
  return patch;
}

// -1, the last, where lanes run along it or not at all.
int64_t lane_axis_of(const PhysicalIndices& physical, const Layout& layout) {
  return physical.lane_axis + 1 == static_cast<int64_t>(layout.factors.size()) ? -1 : physical.lane_axis;
}

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

bool RegionLowering::is_member(NodeId node) const { return members_[node.value]; }

KernelWriter::Key RegionLowering::key(NodeId node, const Indices& at, ValueId mask) const {
  KernelWriter::Key key = {node.value, mask.value};
  for (const AxisIndex& index : at) {
    key.insert(key.end(), {index.affine.constant, index.lane, index.dynamic.value,
                           static_cast<int64_t>(index.affine.terms.size())});
    for (const auto& [var, coefficient] : index.affine.terms) key.insert(key.end(), {var.value, coefficient});
  }
  return key;
}

LoopOperand RegionLowering::evaluate(NodeId id, const Indices& at, ValueId mask) {
  const Node& node = graph_[id];
  if (node.op == Op::constant) return KernelWriter::literal(node.as<ConstantAttr>().value);
  // What the region itself computes never depends on a mask.
  const KernelWriter::Key known = key(id, at, is_member(id) ? ValueId() : mask);
  if (const LoopOperand* value = writer_.find(known)) return *value;
  writer_.set_locations(node.locations);
  LoopOperand value;
  if (is_member(id) || roles_[id.value] == Role::inlined) {
    value = compute(id, at, is_member(id) ? ValueId() : mask);
  } else {
    value = load(id, at, mask);
  }
  writer_.remember(known, value);
  return value;
}

LoopOperand RegionLowering::compute(NodeId id, const Indices& at, ValueId mask) {
  const Node& node = graph_[id];
  switch (definition(node.op).kind) {
    case OpKind::map:
      return compute_map(id, at, mask);
    case OpKind::random:
      return compute_random(id, at);
    case OpKind::movement:
      if (node.op == Op::gather) return compute_gather(id, at, mask);
      if (node.op == Op::pad || node.op == Op::concat) return compute_choice(id, at, mask);
      if (is_view(graph_, id)) {
        // The operand's bytes, seen with this node's shape.
        NodeId stored = node.operands[0];
        while (is_view(graph_, stored) && roles_[stored.value] == Role::inlined) stored = graph_[stored].operands[0];
        for (const Region::Read& read : region_.reads) {
          const Storage& storage = plan_[read.storage];
          const bool is_it = storage.value == stored ||
                             (graph_[stored].op == Op::state && storage.held == graph_[stored].as<StateAttr>().state);
          if (is_it && storage.layout == row_major_layout(storage.type.dims, 1)) {
            return load_from(read.storage, row_major_layout(node.type.dims, 1), node.type, at, mask);
          }
        }
        NNC_CHECK(graph_[stored].op == Op::state, "a view of a value that does not lie densely");
        needs_.plain_mirror.insert(graph_[stored].as<StateAttr>().state);
        return KernelWriter::literal(0);
      }
      return evaluate(node.operands[0], *operand_indices(graph_, id, 0, at, nullptr), mask);
    case OpKind::leaf:
      if (node.op == Op::iota) return index_value(at[node.as<IotaAttr>().axis], node.type.dtype);
      [[fallthrough]];
    default:
      NNC_CHECK(false, "{} is no expression of a point in region {}", name_of(node.op), region_.name);
  }
}

LoopOperand RegionLowering::compute_map(NodeId id, const Indices& at, ValueId mask) {
  const Node& node = graph_[id];
  std::vector<LoopOperand> operands;
  bool vector = false;
  for (NodeId operand : node.operands) {
    operands.push_back(evaluate(operand, at, mask));
    vector = vector || writer_.is_vector(operands.back());
  }
  writer_.set_locations(node.locations);
  if (node.op == Op::detach) return operands[0];
  if (node.op == Op::cast && graph_.type(node.operands[0]).dtype == node.type.dtype) return operands[0];
  if (node.op == Op::cast || node.op == Op::compare) {
    // A literal's dtype cannot be told from the result here.
    const DType dtype = graph_.type(node.operands[0]).dtype;
    bool typed = false;
    for (const LoopOperand& operand : operands) typed = typed || operand.value;
    if (!typed) operands[0] = writer_.define(LoopOp::splat, dtype, false, {operands[0]});
  }
  return writer_.define(loop_op_of(node.op), node.type.dtype, vector, std::move(operands), compare_patch(node));
}

LoopOperand RegionLowering::compute_choice(NodeId id, const Indices& at, ValueId mask) {
  const Node& node = graph_[id];
  LoopOperand result;
  for (size_t k = node.operands.size(); k-- > 0;) {
    std::vector<Bounds> bounds;
    const Indices there = *operand_indices(graph_, id, k, at, &bounds);
    ValueId inside;
    for (const Bounds& bound : bounds) inside = both(inside, within(bound.index, bound.low, bound.high).value);
    const LoopOperand value = evaluate(node.operands[k], there, both(mask, inside));
    const bool last = node.op == Op::concat && k + 1 == node.operands.size();
    if (last || !inside) {
      result = value;
      continue;
    }
    const LoopOperand otherwise = node.op == Op::pad ? KernelWriter::literal(node.as<PadAttr>().value) : result;
    const bool vector = writer_.is_vector({inside, 0}) || writer_.is_vector(value) || writer_.is_vector(otherwise);
    result = writer_.define(LoopOp::select, node.type.dtype, vector, {{inside, 0}, value, otherwise});
  }
  return result;
}

LoopOperand RegionLowering::compute_gather(NodeId id, const Indices& at, ValueId mask) {
  const Node& node = graph_[id];
  const int64_t axis = node.as<AxisAttr>().axis;
  const int64_t ids_rank = graph_.type(node.operands[1]).rank();
  const LoopOperand row = evaluate(node.operands[1], Indices(at.begin() + axis, at.begin() + axis + ids_rank), mask);
  AxisIndex chosen;
  chosen.dynamic = row.value;
  if (!row.value) chosen.affine.constant = static_cast<int64_t>(row.literal);
  Indices there(at.begin(), at.begin() + axis);
  there.push_back(chosen);
  there.insert(there.end(), at.begin() + axis + ids_rank, at.end());
  return evaluate(node.operands[0], there, mask);
}

LoopOperand RegionLowering::compute_random(NodeId id, const Indices& at) {
  const Node& node = graph_[id];
  const LoopOperand seed = evaluate(node.operands[0], {});
  const LoopOperand step = evaluate(node.operands[1], {});
  // Rows start at multiples of 64 elements, so that a vector never straddles two counters' words.
  AxisIndex element;
  int64_t stride = 1;
  for (size_t k = at.size(); k-- > 0;) {
    element = element + at[k] * stride;
    stride *= k + 1 == at.size() ? round_up(node.type.dims[k], 64) : node.type.dims[k];
  }
  const LoopOperand number = index_value(element, DType::i32);
  const bool vector = writer_.is_vector(number);
  const auto typed = [&](LoopOperand value) {
    return value.value ? value : writer_.define(LoopOp::splat, DType::i64, false, {value});
  };
  const RandomAttr& random = node.as<RandomAttr>();
  LoopStmt patch;
  patch.site = random.site;
  const LoopOperand bits =
      writer_.define(LoopOp::philox, DType::i32, vector, {number, typed(seed), typed(step)}, patch);
  if (random.distribution == Distribution::uniform) return writer_.define(LoopOp::uniform, DType::f32, vector, {bits});
  if (random.distribution == Distribution::normal) return writer_.define(LoopOp::normal, DType::f32, vector, {bits});
  LoopStmt bound;
  bound.high = node.type.bound;
  return writer_.define(LoopOp::integer, DType::i32, vector, {bits}, bound);
}

LoopOperand RegionLowering::index_value(const AxisIndex& index, DType dtype) {
  NNC_CHECK(!index.dynamic, "the number of an element is known");
  LoopStmt patch;
  patch.affine = index.affine;
  patch.lane_step = index.lane;
  const LoopOperand value = writer_.define(LoopOp::index, DType::i32, index.lane != 0, {}, patch);
  return dtype == DType::i32 ? value : writer_.define(LoopOp::cast, dtype, index.lane != 0, {value});
}

LoopOperand RegionLowering::within(const AxisIndex& index, int64_t low, int64_t high) {
  KernelWriter::Key known = key(NodeId(), {index}, {});
  known.insert(known.end(), {low, high});
  if (const LoopOperand* value = writer_.find(known)) return *value;
  LoopStmt patch;
  patch.affine = index.affine;
  patch.lane_step = index.lane;
  patch.low = low;
  patch.high = high;
  const LoopOperand value = writer_.define(LoopOp::within, DType::boolean, index.lane != 0, {}, patch);
  writer_.remember(known, value);
  return value;
}

ValueId RegionLowering::both(ValueId a, ValueId b) {
  if (!a || !b) return a ? a : b;
  const bool vector = writer_.is_vector({a, 0}) || writer_.is_vector({b, 0});
  return writer_.define(LoopOp::logical_and, DType::boolean, vector, {{a, 0}, {b, 0}}).value;
}

LoopOperand RegionLowering::splat(LoopOperand value, DType dtype) {
  return writer_.is_vector(value) ? value : writer_.define(LoopOp::splat, dtype, true, {value});
}

BufferId RegionLowering::buffer(StorageId id, const Layout& layout) {
  const auto [at, is_new] = buffers_.emplace(std::pair{id, layout.physical}, BufferId(bindings_.size()));
  if (!is_new) return at->second;
  const Storage& storage = plan_[id];
  LoopBuffer buffer;
  buffer.name = storage.name;
  buffer.dtype = storage.type.dtype;
  buffer.dims = layout.physical;
  buffer.zero = storage.zero;
  const BufferId made = writer_.add_buffer(std::move(buffer));
  BufferBinding binding;
  binding.space = storage.kind == Storage::io      ? BufferBinding::io
                  : storage.kind == Storage::state ? BufferBinding::state
                                                   : BufferBinding::arena;
  binding.offset = storage.offset;
  bindings_.push_back(binding);
  used_.emplace_back(false, false);
  return made;
}

// Where a stored value is best read at `at`; invalid if no layout of it allows that.
StorageId RegionLowering::find_stored(NodeId id, const Indices& at) const {
  const Node& node = graph_[id];
  StorageId usable;
  for (const Region::Read& read : region_.reads) {
    const Storage& storage = plan_[read.storage];
    if (storage.packed && storage.type.dtype != DType::f32) continue;  // only a product of bf16 can read it
    const bool holds = storage.kind == Storage::state
                           ? node.op == Op::state && storage.held == node.as<StateAttr>().state
                           : storage.value == id;
    if (!holds) continue;
    const auto physical = physical_indices(storage.layout, at, writer_.lanes(), writer_.range());
    if (!physical) continue;
    const bool contiguous =
        physical->lane_axis < 0 ||
        (physical->lane_step == 1 && physical->lane_axis + 1 == static_cast<int64_t>(storage.layout.factors.size()));
    if (contiguous) return read.storage;
    if (!usable) usable = read.storage;
  }
  return usable;
}

LoopOperand RegionLowering::load(NodeId id, const Indices& at, ValueId mask) {
  const Node& node = graph_[id];
  if (const StorageId stored = find_stored(id, at)) return load_from(stored, plan_[stored].layout, node.type, at, mask);
  NNC_CHECK(node.op == Op::state, "region {} reads {} of {}, which is not stored", region_.name, id.value, graph_.name);
  needs_.plain_mirror.insert(node.as<StateAttr>().state);
  return KernelWriter::literal(0);
}

LoopOperand RegionLowering::load_from(StorageId id, const Layout& layout, const TensorType& type, const Indices& at,
                                      ValueId mask) {
  const auto physical = physical_indices(layout, at, writer_.lanes(), writer_.range());
  NNC_CHECK(physical, "an access that the layout of {} does not allow", plan_[id].name);
  bool vector = mask && writer_.is_vector({mask, 0});
  Access access;
  access.buffer = buffer(id, layout);
  for (const AxisIndex& index : physical->indices) {
    access.indices.push_back({index.affine, index.dynamic});
    vector = vector || (index.dynamic && writer_.is_vector({index.dynamic, 0}));
  }
  access.lane_axis = lane_axis_of(*physical, layout);
  access.lane_step = physical->lane_step;
  for (size_t axis = 0; axis < at.size(); ++axis) {
    if (at[axis].lane == 0) continue;
    vector = true;
    const auto [low, high] = range_of(at[axis].affine, writer_.range());
    const int64_t reach = at[axis].lane * (writer_.lanes() - 1);
    const bool inside = low + std::min<int64_t>(reach, 0) >= 0 && high + std::max<int64_t>(reach, 0) < type.dims[axis];
    const int64_t padded = layout.physical.back();
    const bool zeros = plan_[id].zero && layout.lane_axis() == static_cast<int64_t>(axis) &&
                       (layout.factors.size() != at.size() || high + reach < padded) && low >= 0 && reach >= 0;
    if (!inside && !zeros) mask = both(mask, within(at[axis], 0, type.dims[axis]).value);
  }
  if (!vector) {
    access.lane_axis = -1;
    access.lane_step = 1;
  }
  access.mask = mask;
  used_[access.buffer.value].first = true;
  return writer_.load(std::move(access), type.dtype, vector);
}

// Asks for the line of the first lane, also of one behind the end of the value. Nothing happens where nobody can tell
// the place.
void RegionLowering::prefetch(StorageId id, const Indices& at) {
  if (std::any_of(at.begin(), at.end(), is_opaque)) return;
  const auto physical = physical_indices(plan_[id].layout, at, writer_.lanes(), writer_.range());
  if (!physical) return;
  Access access;
  access.buffer = buffer(id, plan_[id].layout);
  for (const AxisIndex& index : physical->indices) access.indices.push_back({index.affine, index.dynamic});
  writer_.prefetch(std::move(access));
}

void RegionLowering::store(StorageId id, const Indices& at, LoopOperand value) {
  const Storage& storage = plan_[id];
  const auto physical = physical_indices(storage.layout, at, writer_.lanes(), writer_.range());
  if (!physical) {
    NNC_CHECK(storage.kind == Storage::state, "region {} cannot write {}", region_.name, storage.name);
    needs_.plain_home.insert(storage.held);
    return;
  }
  Access access;
  access.buffer = buffer(id, storage.layout);
  for (const AxisIndex& index : physical->indices) access.indices.push_back({index.affine, index.dynamic});
  access.lane_axis = lane_axis_of(*physical, storage.layout);
  access.lane_step = physical->lane_step;
  for (size_t axis = 0; axis < at.size(); ++axis) {
    if (at[axis].lane == 0) continue;
    const auto [low, high] = range_of(at[axis].affine, writer_.range());
    if (high + writer_.lanes() - 1 >= storage.type.dims[axis]) {
      access.mask = both(access.mask, within(at[axis], 0, storage.type.dims[axis]).value);
    }
  }
  if (physical->lane_axis >= 0) {
    value = splat(value, storage.type.dtype);
  } else {
    access.lane_step = 1;
  }
  if (!value.value) {
    value = writer_.define(LoopOp::splat, storage.type.dtype, false, {value});
  }
  used_[access.buffer.value].second = true;
  writer_.store(std::move(access), value);
}
// Adds to what lies there: for accumulation over rows known at run time.
void RegionLowering::add_in_place(StorageId id, const Indices& at, LoopOperand value) {
  const Storage& storage = plan_[id];
  const LoopOperand old = load_from(id, storage.layout, storage.type, at, {});
  const bool vector = writer_.is_vector(old) || writer_.is_vector(value);
  store(id, at, writer_.define(LoopOp::add, storage.type.dtype, vector, {old, value}));
}

}  // namespace nnc

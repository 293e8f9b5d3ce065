#include "runtime/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "runtime/data/batches.h"

namespace nnc {
namespace {

constexpr int64_t line = 64;

int64_t round_up(int64_t bytes) { return (bytes + line - 1) / line * line; }

int64_t io_bytes(const IoTensor& tensor) {
  int64_t bytes = element_size(tensor.type);
  for (int64_t extent : tensor.dims) bytes *= extent;
  return bytes;
}

std::string type_text(ElementType type, std::span<const int64_t> dims) {
  const char* name = type == ElementType::f32    ? "f32"
                     : type == ElementType::i32  ? "i32"
                     : type == ElementType::i64  ? "i64"
                     : type == ElementType::f64  ? "f64"
                     : type == ElementType::bf16 ? "bf16"
                                                 : "bool";
  return fmt::format("{}[{}]", name, fmt::join(dims, ", "));
}

// An error, or an empty message where the field fits the tensor.
std::string mismatch(const IoTensor& tensor, const DataField& field) {
  const bool rows = !tensor.dims.empty();
  const std::span<const int64_t> wanted = rows ? std::span(tensor.dims).subspan(1) : std::span<const int64_t>();
  if (rows && tensor.type == field.type &&
      std::equal(wanted.begin(), wanted.end(), field.dims.begin(), field.dims.end()))
    return {};
  return fmt::format("field `{}` has rows of {}, but the model wants {}", field.name, type_text(field.type, field.dims),
                     type_text(tensor.type, wanted));
}

void make_counters(Session& session, int64_t threads) {
  const std::vector<Entry>& entries = session.executable->entries;
  const auto profiled = [](const Entry& entry) { return !entry.calls.empty(); };
  if (std::none_of(entries.begin(), entries.end(), profiled)) return;
  for (const Entry& entry : entries) {
    const size_t phases = entry.calls.empty() ? 0 : static_cast<size_t>(entry.calls.back().phase) + 1;
    const std::vector<uint64_t> counters(entry.calls.size() + phases, 0);
    session.ticks.push_back({std::vector(static_cast<size_t>(threads), counters)});
  }
}

}  // namespace

tl::expected<Session, RuntimeErrors> open_session(const Executable& executable, int64_t threads) {
  Session session;
  session.executable = &executable;
  const int64_t each = round_up(executable.scratch_bytes);
  struct Segment {
    AlignedBuffer Session::* buffer;
    int64_t bytes;
    const char* purpose;
  };
  const Segment segments[] = {{&Session::state, executable.state_bytes, "the model's state"},
                              {&Session::arena, executable.arena_bytes, "the arena of a step"},
                              {&Session::scratch, each * threads, "the threads' scratch memory"}};
  for (const Segment& segment : segments) {
    auto buffer = allocate(segment.bytes, segment.purpose);
    if (!buffer) return tl::unexpected(RuntimeErrors{buffer.error()});
    session.*segment.buffer = std::move(*buffer);
  }
  session.team = std::make_unique<Team>(threads);
  for (int64_t thread = 0; thread < threads; ++thread) {
    nnc_context context = {};
    context.state = session.state.data();
    context.arena = session.arena.data();
    context.scratch = session.scratch.data() + thread * each;
    context.thread = thread;
    context.threads = threads;
    context.team = session.team->handle();
    context.barrier = session.team->barrier_function();
    session.contexts.push_back(context);
  }
  make_counters(session, threads);
  return session;
}

bool set_scalar_state(Session& session, std::string_view name, double value) {
  for (const StateTensor& tensor : session.executable->states) {
    if (tensor.name != name || !tensor.dims.empty()) continue;
    std::byte logical[8] = {};
    auto put = [&](auto typed) { std::memcpy(logical, &typed, sizeof typed); };
    switch (tensor.type) {
      case ElementType::i64:
        put(static_cast<int64_t>(value));
        break;
      case ElementType::i32:
        put(static_cast<int32_t>(static_cast<uint32_t>(value)));
        break;
      case ElementType::f64:
        put(value);
        break;
      case ElementType::f32:
        put(static_cast<float>(value));
        break;
      default:
        return false;
    }
    write_state(tensor, logical, session.state.data());
    return true;
  }
  return false;
}

void initialize(Session& session, uint64_t seed) {
  set_scalar_state(session, "seed", static_cast<double>(seed));
  set_scalar_state(session, "step", 0);
  if (const Entry* entry = session.executable->find("initialize", 0)) {
    const std::vector<void*> io(entry->io.size() + 1, nullptr);
    run_entry(session, *entry, io.data());
  }
}

void run_entry(Session& session, const Entry& entry, void* const* io) {
  for (nnc_context& context : session.contexts) {
    context.io = io;
    context.closure = entry.closure;
  }
  if (!session.ticks.empty()) {
    EntryTicks& ticks = session.ticks[static_cast<size_t>(&entry - session.executable->entries.data())];
    for (nnc_context& context : session.contexts)
      context.ticks = ticks.threads[static_cast<size_t>(context.thread)].data();
    ++ticks.calls;
  }
  session.team->run(entry.call, session.contexts);
}

tl::expected<BoundEntry, RuntimeErrors> bind_entry(const Entry& entry, const Dataset& dataset) {
  BoundEntry bound;
  bound.entry = &entry;
  ErrorList errors;
  std::vector<int64_t> offsets[2];
  int64_t bytes = 0;
  for (size_t i = 0; i < entry.io.size(); ++i) {
    const IoTensor& tensor = entry.io[i];
    const bool fed = tensor.role == IoTensor::input || tensor.role == IoTensor::target;
    if (fed) {
      const DataField* field = dataset.find(tensor.name);
      const std::string why = field == nullptr ? fmt::format("no field `{}` in `data` for the model's {}", tensor.name,
                                                             tensor.role == IoTensor::input ? "input" : "target")
                                               : mismatch(tensor, *field);
      if (!why.empty()) errors.add(ErrorCode::E611, field == nullptr ? 0 : field->origin, why);
      bound.feeds.push_back({i, field});
    }
    for (size_t side = 0; side < 2; ++side) {
      if (side == 1 && !fed) {
        offsets[1].push_back(offsets[0].back());
        continue;
      }
      offsets[side].push_back(bytes);
      bytes += round_up(io_bytes(tensor));
    }
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
  auto memory = allocate(bytes, "the batches");
  if (!memory) return tl::unexpected(RuntimeErrors{memory.error()});
  bound.memory = std::move(*memory);
  for (size_t side = 0; side < 2; ++side) {
    for (int64_t offset : offsets[side]) bound.io[side].push_back(bound.memory.data() + offset);
  }
  for (size_t i = 0; i < entry.io.size(); ++i) {
    const IoTensor& tensor = entry.io[i];
    const bool measured = tensor.role == IoTensor::loss || tensor.role == IoTensor::metric;
    if (tensor.role == IoTensor::collected)
      bound.collected.push_back({tensor.name, tensor.type, tensor.dims, bound.io[0][i]});
    if (!measured || !tensor.dims.empty() || tensor.type != ElementType::f32) continue;
    bound.scalars.push_back({tensor.role, tensor.name, static_cast<const float*>(bound.io[0][i])});
  }
  return bound;
}

void fill_batch(const BoundEntry& bound, std::span<const uint32_t> rows, size_t side,
                std::span<const uint32_t> following) {
  for (const BoundEntry::Feed& feed : bound.feeds) gather_rows(*feed.field, rows, bound.io[side][feed.io], following);
}

}  // namespace nnc

// The members of a plan with their names in a file, and the words of its enumerations: what pipeline_json writes, reads
// and counts. A member belongs here once, or in `left_out`.
#pragma once

#include "runtime/data/pipeline_json.h"

namespace nnc {

template <class F>
void members(const PipeStep*, F& f) {
  f("kind", &PipeStep::kind);
  f.left_out(&PipeStep::origin);
  f("low", &PipeStep::low);
  f("high", &PipeStep::high);
  f("method", &PipeStep::method);
  f("fill", &PipeStep::fill);
  f("unknown", &PipeStep::unknown);
  f("learned", &PipeStep::learned);
  f("drop_first", &PipeStep::drop_first);
  f("max_categories", &PipeStep::max_categories);
  f("other", &PipeStep::other);
  f("a", &PipeStep::a);
  f("b", &PipeStep::b);
  f("categories", &PipeStep::categories);
  f("infrequent", &PipeStep::infrequent);
}

template <class F>
void members(const Pipe*, F& f) {
  f("column", &Pipe::column);
  f("position", &Pipe::position);
  f("text", &Pipe::text);
  f("elements", &Pipe::elements);
  f("lanes", &Pipe::lanes);
  f("steps", &Pipe::steps);
}

template <class F>
void members(const WindowPlan*, F& f) {
  f("length", &WindowPlan::length);
  f("stride", &WindowPlan::stride);
  f("shift", &WindowPlan::shift);
  f("after", &WindowPlan::after);
  f("result", &WindowPlan::result);
  f.left_out(&WindowPlan::origin);
}

template <class F>
void members(const FieldPlan*, F& f) {
  f("name", &FieldPlan::name);
  f.left_out(&FieldPlan::origin);
  f("pipes", &FieldPlan::pipes);
  f("shape", &FieldPlan::shape);
  f("dims", &FieldPlan::dims);
  f.left_out(&FieldPlan::shape_origin);
  f("joined", &FieldPlan::joined);
  f("windows", &FieldPlan::windows);
}

inline const char* word_of(StepKind kind) { return name_of(kind); }

inline const char* word_of(PipeStep::Unknown unknown) {
  switch (unknown) {
    case PipeStep::Unknown::error:
      return "error";
    case PipeStep::Unknown::zero:
      return "zero";
    case PipeStep::Unknown::extra:
      return "extra";
  }
  return nullptr;
}

inline const char* word_of(FieldPlan::Shape shape) {
  switch (shape) {
    case FieldPlan::Shape::scalar:
      return "scalar";
    case FieldPlan::Shape::vector:
      return "vector";
    case FieldPlan::Shape::tensor:
      return "tensor";
    case FieldPlan::Shape::reshaped:
      return "reshaped";
  }
  return nullptr;
}

}  // namespace nnc

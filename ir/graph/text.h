// The Graph as text: what `nnc ir --stage=graph` prints and file tests read.
//
//   graph step of mnist_mlp at B=128 {
//     %x = input "x" : f32[128,784] !3
//   fwd:
//     %z1 = contract "b i, o i -> b o" %x %w1 order=chain : f32[128,512] !5
//     %h1 = max %a1 0 : f32[128,512] !5
//     loss "ce" %ce
//   bwd: …
//   upd: …  assign "fc1.weight" %wn
//   }
// A splat constant that takes the type of the map beside it is written as a literal operand.
// `!5` is line 5 of the program's first file, `!prelude/loss.nn:7` names another; several are joined by commas.
// Other attributes are settings behind the operands: `slice %x start=[0,2] step=[1,1] : f32[3,5]`, `concat %a %b
// axis=1`.
#pragma once

#include <string>
#include <string_view>

#include "ir/graph/graph.h"

namespace nnc {

// `program` gives the names of states and files.
std::string print(const Graph& graph, const Program& program);
std::string print(const Program& program);  // states, then every function

// Reads what print wrote. Types may be left out where they are inferred. Returns "" or "line N: what is wrong".
// Before the graph may stand `program NAME { state "w" : f32[3,5] trained … }`. States that `program` lacks are
// declared by the state and assign nodes that name them. A written type that contradicts inference is kept, for
// verify() to report.
std::string parse_graph(std::string_view text, Program& program, Graph& graph);

// Reads what print wrote of a whole program.
std::string parse_program(std::string_view text, Program& program);

// Every broken rule, one line each: "%n: G2: declared f32[2], inferred f32[3]". Rules G1 … G10 as documented in
// verifier.cpp. `orders_fixed`: also require G8 (every reduction has an order).
std::vector<std::string> verify(const Graph& graph, const Program& program, bool orders_fixed = false);

}  // namespace nnc

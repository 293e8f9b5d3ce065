// The source text(…): one text, a row a character or a row a byte.
#pragma once

#include "runtime/data/table.h"

namespace nnc {

//   text("file.txt")
//
// Columns `chars` and `bytes`, symbols, without values until load_text; a text is read as the one or as the other. Of
// `chars`, `words` is the vocabulary: the characters that occur, in the order of their code points; a byte-order mark
// at the start is dropped. Of `bytes` it is all 256 bytes, whatever the file holds. Errors: E607.
tl::expected<Table, RuntimeErrors> open_text(const Spec& source);

// Fills in `rows` and the column wanted. Errors: E604, E611 where both are wanted, E622 with the place of the first
// byte of `chars` that is no UTF-8, or where the file is empty.
RuntimeErrors load_text(Table& table, const std::vector<bool>& wanted);

}  // namespace nnc

// The source images(…): a folder with one subfolder of images a class.
#pragma once

#include "runtime/data/table.h"

namespace nnc {

//   images("folder")
//   images("folder", size = [height, width], channels = 1 | 3)
//
// Columns `images`, bytes [channels, height, width], and `labels`, the place of the image's class in the sorted list of
// subfolders: integers with bound, the classes' names in `words`. Rows: class by class, files by path. Files are those
// below a class's folder that end in .png, .jpg or .jpeg, hidden ones left out. Without `size` all images must have
// one size; without `channels` it is 1 where all are grey, else 3. Errors, several in one run: E604, E607, E621, E623,
// E650.
tl::expected<Table, RuntimeErrors> open_images(const Spec& source);

}  // namespace nnc

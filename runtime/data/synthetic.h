// Sources that draw their rows: the same for the same arguments, everywhere.
#pragma once

#include "runtime/data/table.h"

namespace nnc {

//   synthetic(rows = n, seed = 0, name = rand(3, 32, 32), label = randint(10), z = randn(8))
// One column an argument, of uniform numbers in [0, 1), standard normal ones or integers. Errors: E607, E608, E650.
tl::expected<Table, RuntimeErrors> open_synthetic(const Spec& source);

// The following have the columns `x`, floats [features], and `y`, integers below `classes`, rows in random order, and
// as many rows of each class as possible. `noise` is the standard deviation of a normal error added to each coordinate.
// Errors: E607, E650.

//   blobs(rows, features = 2, classes = 3, std = 1, seed = 0)
// Normal around one center a class, uniform in [-10, 10) (scikit-learn's make_blobs).
tl::expected<Table, RuntimeErrors> open_blobs(const Spec& source);

//   moons(rows, noise = 0, seed = 0)
// Two half circles of radius 1, one into the other: (cos t, sin t) and (1 - cos t, 1/2 - sin t), t evenly from 0 to pi
// (scikit-learn's make_moons).
tl::expected<Table, RuntimeErrors> open_moons(const Spec& source);

//   spirals(rows, classes = 2, noise = 0, seed = 0)
// One arm a class, of one turn from the origin to radius 1: angle 2 pi (radius + class / classes).
tl::expected<Table, RuntimeErrors> open_spirals(const Spec& source);

//   regression(rows, features = 10, noise = 0, seed = 0)
// x standard normal, y = x w + noise, w uniform in [0, 100) (scikit-learn's make_regression); `y` is a number.
tl::expected<Table, RuntimeErrors> open_regression(const Spec& source);

}  // namespace nnc

"""Mutants of rules on images and functions that are the same function, by the place of the rule, with the reason."""

SAME_ON_IMAGES = {
    # only the shape of z is read; a sign is 1 or -1, its own reciprocal
    "Abs.dz": [
        "return da * sign_of_difference(z, -np.full_like(z, 0))",
        "return da * sign_of_difference(z, np.full_like(-z, 0))",
        "return da * sign_of_difference(z, np.full_like(da, 0))",
        "return da / sign_of_difference(z, np.full_like(z, 0))",
    ],
    # xh enters twice; both shapes are one
    "BatchNorm.dx": [
        "return from_channels(batch_norm_vjp(by_channel(dh), -by_channel(x), g[:, None], self.eps), x.shape)",
        "return from_channels(batch_norm_vjp(by_channel(dh), by_channel(-x), g[:, None], self.eps), x.shape)",
        "return from_channels(batch_norm_vjp(by_channel(dh), by_channel(x), g[:, None], self.eps), dh.shape)",
    ],
    # 0 is -0, and 0 times or over any finite number; a number exactly on an end is on a kink
    "Clip.dz": [
        "return np.where(z < self.low, -(0 * da), np.where(z > self.high, 0 * da, da))",
        "return np.where(z < self.low, 0 * -da, np.where(z > self.high, 0 * da, da))",
        "return np.where(z < self.low, 0 * da, np.where(z > self.high, -(0 * da), da))",
        "return np.where(z < self.low, 0 * da, np.where(z > self.high, 0 * -da, da))",
        "return np.where(z < self.low, 0 * da, np.where(z > self.high, 0 * z, da))",
        "return np.where(z < self.low, 0 * da, np.where(z > self.high, 0, da))",
        "return np.where(z < self.low, 0 * da, np.where(z >= self.high, 0 * da, da))",
        "return np.where(z < self.low, 0 * z, np.where(z > self.high, 0 * da, da))",
        "return np.where(z < self.low, 0 / da, np.where(z > self.high, 0 * da, da))",
        "return np.where(z < self.low, 0, np.where(z > self.high, 0 * da, da))",
        "return np.where(z <= self.low, 0 * da, np.where(z > self.high, 0 * da, da))",
    ],
    # NumPy takes any one negative size for what is left
    "Conv2d.dW": [
        "return (matrices(dz, self.groups) @ np.transpose(every, (0, 2, 1))).reshape(-2, *self.weights['W'][1:])",
    ],
    # of two axes the last is the second
    "BatchNormEvaluation.dg": [
        "return (by_channel(dh) * xh).sum(axis=1)",
    ],
    "batch_norm_gain_vjp": [
        "return (dh * standardised(rows, eps)).sum(axis=1)",
    ],
    "_Normalised.db": [
        "return by_channel(dh).sum(axis=1)",
    ],
    # which axis is the last, each of these says
    "Concatenate.dp": [
        "return self.part(ds, None, p.shape[self.axis_in(ds.shape)])",
    ],
    "Concatenate.dq": [
        "return self.part(ds, p.shape[self.axis_in(ds.shape)], None)",
    ],
    # of x only the length is read; the axis between has one entry
    "Conv1d.dx": [
        "return super().dx(dz[:, :, None], W[:, :, None], -x[:, :, None])[:, :, 0]",
        "return super().dx(dz[:, :, None], W[:, :, None], x[1:, :, None])[:, :, 0]",
        "return super().dx(dz[:, :, None], W[:, :, None], x[:-1, :, None])[:, :, 0]",
        "return super().dx(dz[:, :, None], W[:, :, None], x[:, 1:, None])[:, :, 0]",
        "return super().dx(dz[:, :, None], W[:, :, None], x[:, :-1, None])[:, :, 0]",
        "return super().dx(dz[:, :, None], W[:, :, None], x[:, :, None])[:, :, -1]",
    ],
    # -ds p / q / q: the factors change places, q enters twice
    "Divide.dq": [
        "return summed_to(divisor_vjp(p, ds, q), q.shape)",
        "return summed_to(divisor_vjp(ds, p, -q), q.shape)",
    ],
    # only the number of rows is read; NumPy takes any one negative size for what is left
    "GroupNorm.dg": [
        "return group_norm_gain_vjp(dh.reshape(len(x), self.channels, -1), self.rows(x), self.eps)",
        "return group_norm_gain_vjp(dh.reshape(len(dh), self.channels, -2), self.rows(x), self.eps)",
    ],
    # only the shape is read
    "Maximum.dp": [
        "return self._share(ds, -p, p > q, p < q)",
    ],
    "Maximum.dq": [
        "return self._share(ds, -q, q > p, q < p)",
    ],
    "Minimum.dp": [
        "return self._share(ds, -p, p < q, p > q)",
    ],
    "Minimum.dq": [
        "return self._share(ds, -q, q < p, q > p)",
    ],
    # a power of 0 is 0; only the shape is read; 0 log 2 is 0 as 0 log 1 is
    "Pow.dq": [
        "return summed_to(ds * (s * log(np.where(s == 0, np.full_like(p, 1), p))), q.shape)",
        "return summed_to(ds * (s * log(np.where(p == 0, np.full_like(-p, 1), p))), q.shape)",
        "return summed_to(ds * (s * log(np.where(p == 0, np.full_like(ds, 1), p))), q.shape)",
        "return summed_to(ds * (s * log(np.where(p == 0, np.full_like(q, 1), p))), q.shape)",
        "return summed_to(ds * (s * log(np.where(p == 0, np.full_like(s, 1), p))), q.shape)",
        "return summed_to(ds * (s * log(np.where(p == 0, np.full_like(p, 2), p))), q.shape)",
    ],
    # even in a; only the number of rows is read
    "CosineDistance.da": [
        "return cosine_vjp(-a, y, self.eps) / rows_in(a)",
        "return cosine_vjp(a, y, self.eps) / rows_in(-a)",
        "return cosine_vjp(a, y, self.eps) / rows_in(y)",
    ],
    # a length has no sign; a 0 of any kind and shape
    "cosine_vjp": [
        "r, v = (length(-a, eps), y / length(y, eps))",
        "r, v = (length(a, eps), y / length(-y, eps))",
        "return (np.where(r > eps, along, -(0 * along)) - v) / r",
        "return (np.where(r > eps, along, 0 / along) - v) / r",
        "return (np.where(r > eps, along, 0) - v) / r",
        "return (np.where(r > eps, along, 0 * -along) - v) / r",
        "return (np.where(r > eps, along, 0 * a) - v) / r",
        "return (np.where(r > eps, along, 0 * y) - v) / r",
        "return (np.where(r > eps, along, 0 * eps) - v) / r",
        "return (np.where(r > eps, along, 0 * r) - v) / r",
        "return (np.where(r > eps, along, 0 * v) - v) / r",
    ],
    # a 0 of any kind and shape
    "Where.dp": [
        "return summed_to(np.where(c == 1, ds, -np.full_like(ds, 0)), p.shape)",
        "return summed_to(np.where(c == 1, ds, np.full_like(-ds, 0)), p.shape)",
        "return summed_to(np.where(c == 1, ds, np.full_like(c, 0)), p.shape)",
        "return summed_to(np.where(c == 1, ds, np.full_like(p, 0)), p.shape)",
    ],
    "Where.dq": [
        "return summed_to(np.where(c == 1, -np.full_like(ds, 0), ds), q.shape)",
        "return summed_to(np.where(c == 1, np.full_like(-ds, 0), ds), q.shape)",
        "return summed_to(np.where(c == 1, np.full_like(c, 0), ds), q.shape)",
        "return summed_to(np.where(c == 1, np.full_like(q, 0), ds), q.shape)",
    ],
    # of y only the length is read; 0 is -0 and 0 over what is not 0; w + w has the sign of w
    "Penalty.dw": [
        "return self._slope(w, -y, sign_of_difference(w, 0 * w) if self.l1 else None)",
        "return self._slope(w, y, sign_of_difference(w, -(0 * w)) if self.l1 else None)",
        "return self._slope(w, y, sign_of_difference(w, 0 - w) if self.l1 else None)",
        "return self._slope(w, y, sign_of_difference(w, 0 / w) if self.l1 else None)",
        "return self._slope(w, y, sign_of_difference(w, 0) if self.l1 else None)",
        "return self._slope(w, y, sign_of_difference(w, 0 * -w) if self.l1 else None)",
    ],
    # only the number of rows is read; NumPy takes any one negative size for what is left; rows are made of ds anyway
    "Gather.dx": [
        "rows = ds.reshape(len(x), -1)",
        "rows = ds.reshape(len(i), -1)",
        "rows = ds.reshape(len(ds), -2)",
        "return scattered(ds, along(i, self.axis, self.entries), prod(x.shape[1:])).reshape(*x.shape)",
    ],
    # xh enters twice; only shapes are read; of two axes the last is the second
    "GroupNorm.dx": [
        "return layer_norm_vjp(self.rows(dh), -self.rows(x), self.spread(g, x), self.eps).reshape(*x.shape)",
        "return layer_norm_vjp(self.rows(dh), self.rows(-x), self.spread(g, x), self.eps).reshape(*x.shape)",
        "return layer_norm_vjp(self.rows(dh), self.rows(x), self.spread(g, -x), self.eps).reshape(*x.shape)",
        "return layer_norm_vjp(self.rows(dh), self.rows(x), self.spread(g, dh), self.eps).reshape(*x.shape)",
        "return layer_norm_vjp(self.rows(dh), self.rows(x), self.spread(g, x), self.eps).reshape(*dh.shape)",
    ],
    "GroupNorm.db": [
        "return by_channel(dh).sum(axis=1)",
    ],
    # xh enters twice
    "RMSNorm.dx": [
        "return rms_norm_vjp(dh, -x, g, self.eps)",
    ],
    "rms_norm_vjp": [
        "(xh, r), t = (_scaled(-x, eps), dh * g)",
    ],
    # the cosine is even
    "Sin.dz": [
        "return da * np.cos(-z)",
    ],
    # only the number of rows is read; NumPy takes any one negative size for what is left
    "Slice.dx": [
        "return scattered(ds.reshape(len(x), -1), places.reshape(-1), prod(x.shape[1:])).reshape(*x.shape)",
        "return scattered(ds.reshape(len(ds), -2), places.reshape(-1), prod(x.shape[1:])).reshape(*x.shape)",
        "return scattered(ds.reshape(len(ds), -1), places.reshape(-2), prod(x.shape[1:])).reshape(*x.shape)",
    ],
    # a quotient of two that have both signs, or of truth values
    "largest_shares": [
        "chosen = -(1.0 * (rows == rows.max(axis=-1, keepdims=True)))",
        "chosen = rows == rows.max(axis=-1, keepdims=True)",
    ],
    # the square
    "Erf.dz": [
        "return da * (2 / math.sqrt(math.pi) * np.exp(-np.square(-z)))",
    ],
    # only the shape of x is read
    "Mean.dx": [
        "return +np.broadcast_to(ds / self.terms(-x), x.shape)",
    ],
    # the samples" axis 0 is the least, whatever it is called below 2
    "Transpose.dx": [
        "return +np.transpose(ds, np.argsort((-1, *self.axes)))",
        "return +np.transpose(ds, np.argsort((1, *self.axes)))",
    ],
    # xh enters twice
    "batch_norm_vjp": [
        "return layer_norm_vjp(dh, -rows, g, eps)",
    ],
    # parts are of one shape; nothing of the array is read but its zeros, and more of them behind are cut off
    "put_back": [
        "before, (rows, columns) = ((slice(None),) * axis, parts[-1].shape[axis:axis + 2])",
        "behind = ((0, 0),) * (parts[-1].ndim - axis - 2)",
        "r, c = (n * apart for n, apart in zip((d, e), divmod(place, windows.kernel[1]), strict=True))",
        "total = -np.pad(parts[0][*before, slice(0), slice(0)], ((0, 0),) * axis + ((0, size[0]), ("
        "0, size[1])) + behind)",
        "total = np.pad(-parts[0][*before, slice(0), slice(0)], ((0, 0),) * axis + ((0, size[0]), ("
        "0, size[1])) + behind)",
        "total = np.pad(parts[-1][*before, slice(0), slice(0)], ((0, 0),) * axis + ((0, size[0]), ("
        "0, size[1])) + behind)",
        "total = np.pad(parts[0][*before, slice(-1), slice(0)], ((0, 0),) * axis + ((0, size[0]), ("
        "0, size[1])) + behind)",
        "total = np.pad(parts[0][*before, slice(0), slice(-1)], ((0, 0),) * axis + ((0, size[0]), ("
        "0, size[1])) + behind)",
        "total = np.pad(parts[0][*before, slice(0), slice(0)], ((0, 0),) * axis + ((0, size[0]), (1"
        ", size[1])) + behind)",
        "total = np.pad(parts[0][*before, slice(0), slice(0)], ((0, 0),) * axis + ((1, size[0]), (0"
        ", size[1])) + behind)",
        "total = np.pad(parts[0][*before, slice(0), slice(1)], ((0, 0),) * axis + ((0, size[0]), (0"
        ", size[1])) + behind)",
        "total = np.pad(parts[0][*before, slice(1), slice(0)], ((0, 0),) * axis + ((0, size[0]), (0"
        ", size[1])) + behind)",
    ],
    # NumPy takes any one negative size for what is left
    "transposed_convolution": [
        "parts = np.transpose(W.reshape(groups, K // groups, -2), (0, 2, 1)) @ matrices(dz, groups)",
        "parts = parts.reshape(-(groups * M), R * S, *dz.shape[2:], len(dz))",
        "parts = parts.reshape(groups * M, -(R * S), *dz.shape[2:], len(dz))",
    ],
    # NumPy takes any one negative size for what is left
    "RepeatHeads.dx": [
        "return ds.reshape(-rows, heads // self.times, self.times, *rest).sum(axis=2)",
        "return ds.reshape(rows, -(heads // self.times), self.times, *rest).sum(axis=2)",
        "return ds.reshape(rows, -heads // self.times, self.times, *rest).sum(axis=2)",
        "return ds.reshape(rows, heads // -self.times, self.times, *rest).sum(axis=2)",
        "return ds.reshape(rows, heads // self.times, -self.times, *rest).sum(axis=2)",
    ],
}

"""How closely numbers must agree, by data type and kind of comparison.

EXACT is for the same sums in another order: a few hundred units in the last place.
REFERENCE is for whole networks against another framework: thirteen layers of sums of up to 4608 products.
WINOGRAD is for one fast convolution: its transforms cancel about a decimal digit, see the docstring of `fast.winograd`.
WINOGRAD_NETWORK is for thirteen of them.
"""

EXACT = {"float32": 1e-6, "float64": 1e-14}
REFERENCE = {"float32": 1e-5, "float64": 1e-10}
WINOGRAD = {"float32": 6e-6, "float64": 1e-14}
WINOGRAD_NETWORK = {"float32": 2e-5, "float64": 1e-10}

"""The file: `routes.yaml` becomes one frozen value, or every fault in it is reported with its place.

`load` tells the story in order: `document` (text to plain data; `scalars` and `places` are its parts), `interpolation`
(`${VAR}`), `credentials` (`file:` secrets), `schema` and `structure` (each field by itself), `references`, `rules` and
`budgets` (what fields and entries say of one another; `names` has the models indexed), `resolve` (the frozen value),
`warn` (what can be lived with). `values` and `addresses` have the types of single values, `spec` what all mappings
share; `faults` is what a fault is, `findings` collects them.
"""

// What the library's own declarations are made of, so that who imports `Apus` has it: the kinds of failure and what the
// host refused. All else in that module is the package's.
@_exported public import Host

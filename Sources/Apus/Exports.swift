// What the library's own declarations are made of, so that who imports `Apus` has it: the kinds of failure and what the
// host refused, a console's stream and the host's sensors, the memory map; and what a program may do for its process,
// its streams and memory. All else in those modules is the package's, but for `EventHandler`, which has to be open.
@_exported public import CPUModel
@_exported public import GuestABI
@_exported public import Host
@_exported public import HostBackends

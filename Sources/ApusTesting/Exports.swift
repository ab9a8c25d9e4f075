// What tests see of a guest is what other programs see of one.
@_exported public import ApusGuest

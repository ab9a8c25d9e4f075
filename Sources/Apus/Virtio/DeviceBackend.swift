/// What stands behind a device and has something to end.
protocol DeviceBackend: AnyObject {
  /// Ends threads and takes descriptors out of the loop.
  func shutDown()
}

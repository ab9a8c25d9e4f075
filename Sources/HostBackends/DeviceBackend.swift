/// What stands behind a device and has something to end.
package protocol DeviceBackend: AnyObject {
  /// Ends threads and takes descriptors out of the loop.
  func shutDown()
}

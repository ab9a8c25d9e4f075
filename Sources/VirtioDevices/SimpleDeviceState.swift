internal import Virtio

/// What a device needs that finishes each request before it takes the next.
struct SimpleDeviceState: ~Copyable {
  var queues: DeviceQueues
  var chain: DescriptorChain
  var isSuspended = false

  init(queueCount: Int, chainCapacity: Int) {
    queues = DeviceQueues(count: queueCount)
    chain = DescriptorChain(capacity: chainCapacity)
  }
}

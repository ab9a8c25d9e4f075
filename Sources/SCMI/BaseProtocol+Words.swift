/// Words of its payloads whose bits have names.
extension BaseProtocol {
  /// The flags of BASE_SET_DEVICE_PERMISSIONS and BASE_SET_PROTOCOL_PERMISSIONS.
  package struct PermissionFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// The agent gets what it has not; without it what it has is taken away.
    package static var allowed: Self { Self(rawValue: 1 << 0) }

    package static var defined: Self { [.allowed] }
  }

  /// The flags of BASE_RESET_AGENT_CONFIGURATION.
  package struct ResetFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// Permissions go back to the configured ones, too.
    package static var permissions: Self { Self(rawValue: 1 << 0) }

    package static var defined: Self { [.permissions] }
  }

  /// The error status of BASE_ERROR_EVENT: fatal 31, count of reports 9:0.
  package struct ErrorStatus: FieldWord, Equatable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// How many reports fit behind it.
    package static var maximumReports: Int { 15 }

    /// - Parameter reports: how many follow, at most ``maximumReports``.
    package init(isFatal: Bool, reports: Int) {
      rawValue = UInt32(reports) | (isFatal ? 1 << 31 : 0)
    }
  }
}

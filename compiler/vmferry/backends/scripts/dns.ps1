# Changes records on a Windows DNS server. Written by vmferry, which never runs it: the owner of the zone does.
#
# It takes the module DnsServer, and whoever runs it needs the right to change the zone; it knows no password.
# A record is only changed if it holds what it is known to hold before or after the cutover. Whatever else it holds,
# someone else wrote: it is left alone. New values are added before old ones go. Running it twice is safe.
# Exit codes: 0 every record is as it should be, 1 one is not.

$ErrorActionPreference = 'Stop'
$failed = $false

function Get-Value($Record) {
  switch ($Record.RecordType) {
    'A' { "A $($Record.RecordData.IPv4Address.IPAddressToString)" }
    'AAAA' { "AAAA $($Record.RecordData.IPv6Address.IPAddressToString)" }
    'CNAME' { "CNAME $($Record.RecordData.HostNameAlias.TrimEnd('.').ToLower())" }
    'PTR' { "PTR $($Record.RecordData.PtrDomainName.TrimEnd('.').ToLower())" }
  }
}

function Set-Record([string]$Server, [string]$Zone, [string]$Name, [int]$Ttl, [string[]]$Values, [string[]]$Before, [string[]]$After) {
  $at = @{ ComputerName = $Server; ZoneName = $Zone }
  $time = New-TimeSpan -Seconds $Ttl
  $full = if ($Name -eq '@') { $Zone } else { "$Name.$Zone" }
  try {
    $held = @(Get-DnsServerResourceRecord @at -Name $Name -ErrorAction SilentlyContinue |
        Where-Object { $_.HostName -eq $Name -and $_.RecordType -in 'A', 'AAAA', 'CNAME', 'PTR' })
    $now = (@($held | ForEach-Object { Get-Value $_ }) | Sort-Object) -join ' '
    if ($now -ne (($Before | Sort-Object) -join ' ') -and $now -ne (($After | Sort-Object) -join ' ')) {
      Write-Warning "${full}: left alone, it holds something else: $now"
      $script:failed = $true
      return
    }
    $alias = @($Values + @($held | ForEach-Object { Get-Value $_ }) | Where-Object { $_.StartsWith('CNAME') })
    if ($alias) {
      # A name has addresses or an alias, never both, so the old ones go first.
      $held | Where-Object { (Get-Value $_) -notin $Values } | ForEach-Object { Remove-DnsServerResourceRecord @at -InputObject $_ -Force }
    }
    foreach ($value in $Values) {
      $type, $data = $value -split ' ', 2
      $same = $held | Where-Object { (Get-Value $_) -eq $value } | Select-Object -First 1
      if ($same) {
        $new = [ciminstance]::new($same)
        $new.TimeToLive = $time
        Set-DnsServerResourceRecord @at -OldInputObject $same -NewInputObject $new
      }
      elseif ($type -eq 'A') { Add-DnsServerResourceRecordA @at -Name $Name -IPv4Address $data -TimeToLive $time }
      elseif ($type -eq 'AAAA') { Add-DnsServerResourceRecordAAAA @at -Name $Name -IPv6Address $data -TimeToLive $time }
      elseif ($type -eq 'PTR') { Add-DnsServerResourceRecordPtr @at -Name $Name -PtrDomainName "$data." -TimeToLive $time }
      else { Add-DnsServerResourceRecordCName @at -Name $Name -HostNameAlias "$data." -TimeToLive $time }
    }
    if (-not $alias) {
      $held | Where-Object { (Get-Value $_) -notin $Values } | ForEach-Object { Remove-DnsServerResourceRecord @at -InputObject $_ -Force }
    }
    Write-Output "${full}: done"
  }
  catch {
    Write-Warning "${full}: not changed: $_"
    $script:failed = $true
  }
}

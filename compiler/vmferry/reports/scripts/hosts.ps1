# For people: takes ESXi hosts out of vSphere, one by one, in the order of `vmferry report decommission`.
# vmferry never runs this, and no GitOps engine applies it.
#
# Usage: hosts.ps1 [-Remove] VCENTER HOST...      without -Remove a host only enters maintenance mode
#
# PowerCLI has to be connected to the vCenter (Connect-VIServer). A host is left alone before its date, if its name does
# not match its id, or if a VM still runs on it. vSAN: evacuate the data first, which this does not do.
# Exit codes: 0 every host is done, 1 one was left alone, 2 wrong usage.
param([switch]$Remove, [string]$VCenter, [Parameter(ValueFromRemainingArguments = $true)][string[]]$Hosts)

if (-not $VCenter -or -not $Hosts) {
    Write-Warning 'Usage: hosts.ps1 [-Remove] VCENTER HOST...'
    exit 2
}
$failed = $false
$done = 0

function Test-Wanted($Source, $Name) {
    return ($Source -eq $VCenter) -and ($Hosts -contains $Name)
}

function Skip-Host($Source, $Name, $Why) {
    if (-not (Test-Wanted $Source $Name)) { return }
    Write-Warning ('{0}: {1}' -f $Name, $Why)
    $script:done += 1
    $script:failed = $true
}

function Remove-Host($Source, $Name, $Id, $NotBefore) {
    if (-not (Test-Wanted $Source $Name)) { return }
    if ((Get-Date).ToUniversalTime().ToString('yyyy-MM-ddTHH:mmZ') -lt $NotBefore) {
        Skip-Host $Source $Name "left alone: it may go from $NotBefore on"
        return
    }
    try {
        $found = Get-VMHost -Id $Id -ErrorAction Stop
        if ($found.Name -ne $Name) {
            Skip-Host $Source $Name "left alone: $Id is not this host in this vCenter"
            return
        }
        $running = Get-VM -Location $found -ErrorAction Stop |
            Where-Object { $_.PowerState -eq 'PoweredOn' -and $_.Name -notmatch '^vCLS[- (]' }
        if ($running) {
            Skip-Host $Source $Name "left alone: VMs run on it: $($running.Name -join ', ')"
            return
        }
        Set-VMHost -VMHost $found -State Maintenance -Confirm:$false -ErrorAction Stop | Out-Null
        if ($Remove) { Remove-VMHost -VMHost $found -Confirm:$false -ErrorAction Stop }
        Write-Host ('{0}: {1}' -f $Name, $(if ($Remove) { 'removed' } else { 'in maintenance mode' }))
        $script:done += 1
    }
    catch {
        Skip-Host $Source $Name "left alone: $_"
    }
}


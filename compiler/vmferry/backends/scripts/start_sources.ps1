# Starts the sources of one move group in vSphere again, after the group was rolled back.
#
# Usage: start-sources.ps1 [TARGET-NAME...]      the default is every VM of the group
#
# PowerCLI has to be connected to the vCenter (Connect-VIServer), and kubectl has to reach the cluster of the target: a
# source is only started if its VM does not run there, since both have the same addresses and both would write.

$wanted = $args
$failed = $false

function Test-Wanted($Target) {
    return ($wanted.Count -eq 0) -or ($wanted -contains $Target)
}

function Skip-Source($Name, $Namespace, $Target, $Why) {
    if (-not (Test-Wanted $Target)) { return }
    Write-Warning ('{0}: {1}' -f $Name, $Why)
    $script:failed = $true
}

function Start-Source($Name, $Namespace, $Target, $Id) {
    if (-not (Test-Wanted $Target)) { return }
    $running = kubectl get virtualmachineinstances.kubevirt.io $Target --namespace $Namespace --ignore-not-found --output name
    if ($LASTEXITCODE -ne 0) {
        Skip-Source $Name $Namespace $Target "not started: kubectl cannot say whether $Namespace/$Target runs in the target"
        return
    }
    if ($running) {
        Skip-Source $Name $Namespace $Target "not started: $Namespace/$Target still runs in the target"
        return
    }
    try {
        $vm = Get-VM -Id $Id -ErrorAction Stop
        if ($vm.PowerState -ne 'PoweredOn') { Start-VM -VM $vm -Confirm:$false -ErrorAction Stop | Out-Null }
        Write-Host ('{0}: is on' -f $Name)
    }
    catch {
        Skip-Source $Name $Namespace $Target "not started: $_"
    }
}


rule Sample_Dropper : sample
{
    meta:
        author = "Picket"
        description = "a file made for this project"
        tlp = "CLEAR"
    strings:
        $magic = { 53 41 4D 50 4C 45 [2-8] ( 01 | 02 ) ?? FF }
        $name = "sample-dropper" nocase ascii wide fullword
        $other = "sample-payload"
    condition:
        $magic and any of ($name, $other)
}

<?xml version="1.0" encoding="UTF-8"?>
<!-- Makes sdfw-inventory(5) of schemas/inventory.xsd. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
                xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xsl:import href="schema.xsl"/>
  <xsl:output method="text" encoding="UTF-8"/>

  <xsl:template match="/xs:schema">
    <xsl:text>.\" Made of schemas/inventory.xsd by docs/man/inventory.xsl.
.TH SDFW\-INVENTORY 5 "</xsl:text>
    <xsl:value-of select="$date"/>
    <xsl:text>" "ovs-sdfw </xsl:text>
    <xsl:value-of select="$version"/>
    <xsl:text>" "ovs-sdfw Manual"
.SH NAME
sdfw\-inventory \- the language of inventories of ovs\-sdfw
.SH DESCRIPTION
</xsl:text>
    <xsl:call-template name="documentation"/>
    <xsl:text>.PP
Entities and DTDs are refused, and nothing is read from the network.
.SH ELEMENTS
</xsl:text>
    <xsl:apply-templates select="xs:element"/>
    <xsl:call-template name="values"/>
    <xsl:text>.SH EXAMPLE
.nf
&lt;inventory xmlns="urn:ovs\-sdfw:inventory:1" version="1"
           private\-key="push\-privkey.pem" certificate="push\-cert.pem"
           ca\-cert="switchca/cacert.pem"&gt;
  &lt;host name="hv1" db="ssl:192.0.2.11" group="canary"&gt;
    &lt;bridge name="br0" openflow="ssl:192.0.2.11:6653"/&gt;
  &lt;/host&gt;
  &lt;host name="hv2" db="ssl:192.0.2.12"&gt;
    &lt;bridge name="br0" openflow="ssl:192.0.2.12:6653"/&gt;
    &lt;bridge name="br1" openflow="ssl:192.0.2.12:6654"/&gt;
  &lt;/host&gt;
&lt;/inventory&gt;
.fi
.SH SEE ALSO
.BR sdfw (8),
.BR ovs\-pki (8)
</xsl:text>
  </xsl:template>
</xsl:stylesheet>
